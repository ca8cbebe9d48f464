/**
 * `viewerMay` agrees with the mutations: in every state, for everybody who sees the ticket, and in events.
 *
 * On an ordinary day, every third of the mutations that are refused, and of those that the same person was allowed in
 * another state before. VIEWER_MAY_SEED=… tries the same ones again.
 */
import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { beginChanges } from '../support/begun-changes.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { bySize, seedOf } from '../support/size.ts';
import { attempt, done, doneByTwo, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const seed = seedOf('VIEWER_MAY_SEED');
const share = bySize(5, 1);

let gateway: TestGateway;
let world: World;
let people: Record<string, Person>;
let organizationAdmin: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const { reporter, jiraAdmin, confluenceAdmin, guardAdmin } = world.acme.emails;
  const emails = { reporter, jiraAdmin, confluenceAdmin, guardAdmin, engineer: world.engineer.email };
  const signedIn = await Promise.all(
    Object.entries({ ...emails, ...world.services }).map(async ([who, email]) => [
      who,
      await gateway.as(email),
    ]),
  );
  people = Object.fromEntries(signedIn);
  organizationAdmin = await gateway.as(world.acme.emails.organizationAdmin);
});
afterAll(() => gateway.dispose());

/** Who was allowed what. */
const tried = new Set<string>();

type Subject = { ticketId: string; grantId: string; changeRequestId: string };

/** Brings a new ticket, its grant and its change request into a state. */
const states: Record<string, () => Promise<Subject>> = {
  PENDING_APPROVAL: () => file(),
  PENDING_GUARD_APPROVAL: async () => {
    const restrict = (restricted: boolean) =>
      doneByTwo(people['guardAdmin'] as Person, organizationAdmin, 'setSupportAccessRestrictions', {
        siteId: world.acme.sites.main.id,
        restricted,
      });
    const subject = await file();
    await restrict(true);
    await done(organizationAdmin, 'approveDataAccess', { grantId: subject.grantId });
    await restrict(false);
    await consent(subject);
    return subject;
  },
  ACTIVE: async () => {
    const subject = await file();
    await done(organizationAdmin, 'approveDataAccess', { grantId: subject.grantId });
    await consent(subject);
    await beginChanges(gateway, [subject.changeRequestId]);
    return subject;
  },
  DENIED: async () => {
    const subject = await file();
    await done(organizationAdmin, 'denyDataAccess', { grantId: subject.grantId });
    await done(organizationAdmin, 'refuseChange', { changeRequestId: subject.changeRequestId });
    return subject;
  },
  'WITHDRAWN, the ticket closed': async () => {
    const subject = await file();
    await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId: subject.ticketId });
    return subject;
  },
};

async function file(): Promise<Subject> {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  if (grantId === null) throw new Error('The ticket came without a request');
  const { id } = await done(people['engineer'] as Person, 'requestChange', { ticketId, ...anyChange() });
  return { ticketId, grantId, changeRequestId: id };
}

const anyChange = () => ({
  ...{ kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
  ...{ description: 'Switch it on', justification: 'It is off' },
  validUntil: new Date(Date.now() + 86_400_000).toISOString(),
});

async function consent({ changeRequestId }: Subject): Promise<void> {
  await done(organizationAdmin, 'consentToChange', { changeRequestId });
}

const actionsOf = (type: string): string[] => {
  const found = schema.getType(type);
  return isObjectType(found) ? Object.keys(found.getFields()) : [];
};
const permissions = (type: string) =>
  `viewerMay { ${actionsOf(type)
    .map((action) => `${action} { allowed code message }`)
    .join(' ')} }`;

/** Each action with its permission and the input that the permission is about, for this subject or another one. */
async function permissionsOf(person: Person, subject: Subject) {
  const { ticket, grant, change }: Json = await person.ask(
    `query ($ticketId: ID!, $grantId: ID!, $changeRequestId: ID!) {
       ticket: node(id: $ticketId) { ... on Ticket { ${permissions('TicketPermissions')} accessEligibility { allowed } } }
       grant: node(id: $grantId) { ... on Grant { ${permissions('GrantPermissions')} } }
       change: node(id: $changeRequestId) { ... on ChangeRequest { ${permissions('ChangeRequestPermissions')} } } }`,
    subject,
  );
  if (ticket === null) return [];
  const more: Record<string, object> = {
    updateTicketStatus: { status: 'OPEN' },
    updateTicket: { summary: 'any' },
    requestChange: anyChange(),
    recordChangeResult: { result: 'APPLIED' },
  };
  const of = (permitted: Json, named: keyof Subject) =>
    Object.entries<Json>(permitted).map(([action, permission]) => ({
      ...{ action, permission },
      inputFor: (other: Subject) => ({ [named]: other[named], ...more[action] }),
    }));
  if (ticket.accessEligibility.allowed === false) {
    expect(ticket.viewerMay.approveDataAccess.allowed).toBe(false);
  }
  return [
    ...of(ticket.viewerMay, 'ticketId'),
    ...of(grant.viewerMay, 'grantId'),
    ...of(change.viewerMay, 'changeRequestId'),
  ];
}

describe.each(Object.keys(states))(`%s, VIEWER_MAY_SEED=${seed}`, (state) => {
  test('allowed mutations succeed, and the others are refused with the same code and message', async () => {
    const arrange = states[state];
    if (arrange === undefined) throw new Error(state);
    const subject = await arrange();
    let [refusals, repetitions] = [seed, seed];
    for (const [who, person] of Object.entries(people)) {
      for (const { action, permission, inputFor } of await permissionsOf(person, subject)) {
        const title = `${who} ${action} ${JSON.stringify(inputFor(subject))}`;
        if (!permission.allowed) {
          refusals += 1;
          if (refusals % share !== 0) continue;
          const { code, message } = await attempt(person, action, inputFor(subject));
          expect({ allowed: false, code, message }, title).toEqual(permission);
          continue;
        }
        expect(permission, title).toEqual({ allowed: true, code: null, message: null });
        if (tried.has(`${who} ${action}`) && ++repetitions % share !== 0) continue;
        tried.add(`${who} ${action}`);
        const result = await attempt(person, action, inputFor(await arrange()));
        expect(result.code, `${title}: ${JSON.stringify(result)}`).toBeUndefined();
      }
    }
  });
});

test('in an event viewerMay is about the present, while the grant is shown as it was', async () => {
  const { grantId, ticketId } = await file();
  const query = `subscription ($after: String) { grantEvents(after: $after, filter: { ticketId: "${ticketId}" }) {
    cursor type grant { state viewerMay { revokeDataAccess { allowed code } releaseDataAccess { allowed } } } } }`;
  const { jiraAdmin, engineer } = people;
  if (jiraAdmin === undefined || engineer === undefined) throw new Error('nobody');
  const [admins, engineers] = [jiraAdmin, engineer].map((person) => person.socket().iterate({ query }));
  if (admins === undefined || engineers === undefined) throw new Error('no stream');
  const { value: started } = await admins.next();
  const { cursor: after } = started.data.grantEvents;
  await engineers.next();
  await done(organizationAdmin, 'approveDataAccess', { grantId });
  expect((await nextOfGrant(admins)).grant).toEqual({
    state: 'ACTIVE',
    viewerMay: { revokeDataAccess: { allowed: true, code: null }, releaseDataAccess: { allowed: false } },
  });
  expect((await nextOfGrant(engineers)).grant).toEqual({
    state: 'ACTIVE',
    viewerMay: {
      revokeDataAccess: { allowed: false, code: 'FORBIDDEN' },
      releaseDataAccess: { allowed: true },
    },
  });
  await done(organizationAdmin, 'revokeDataAccess', { grantId });
  await Promise.all([admins.return?.(), engineers.return?.()]);

  const late = jiraAdmin.socket().iterate({ query, variables: { after } });
  expect(await nextOfGrant(late)).toMatchObject({
    type: 'ACTIVATED',
    grant: { state: 'ACTIVE', viewerMay: { revokeDataAccess: { allowed: false, code: 'ALREADY_OVER' } } },
  });
  await late.return?.();
});
