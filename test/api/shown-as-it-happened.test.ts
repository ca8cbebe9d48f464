/**
 * Random histories of commands through the API: `Ticket.timeline` and `Site.activeAccess` say exactly what a
 * straightforward replay of the acknowledged commands says. The timeline has each thing once, in order; the access is who
 * has it right now, under which grant, in which session, since when, and what they did last.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { endDueSessions } from '../../src/commands/end-due-sessions.ts';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import { expireChangeRequests } from '../../src/commands/expire-change-requests.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { bySize, seedOf } from '../support/size.ts';
import { assignRole, attempt, done, startGatewayWithWorld, type World } from '../support/world.ts';
import { type Actors, actionOf, type Happened, itemOf, limits, replay, type Step } from './ticket-history.ts';

vi.setConfig({ testTimeout: bySize(240_000, 3_600_000) });

const seed = seedOf('SHOWN_SEED');
const minute = 60_000;
const years = 10 * 365 * 24 * 60 * minute;
const logger = createLogger('silent');

/** The clock of the gateway. It moves a second with each step. */
let time = Date.now();
const clock = () => new Date(time);
const stepMs = 1_000;

let gateway: TestGateway;
let world: World;
/** Of the background jobs. */
let database: Database;
let people: Record<'admin' | 'reporter' | 'helper' | 'guard' | 'operator' | 'backend', Person>;
let engineers: Person[];
let actors: Actors;
let helperId: string;

beforeAll(async () => {
  // Tokens are issued in the future, so that they outlive the test.
  time += years;
  ({ gateway, world } = await startGatewayWithWorld({ clock, maintenance: false }));
  database = openDatabase({
    ...{ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines },
  });
  const { operator, admins, guardAdmins, acme, engineer, otherEngineer } = world;
  const [helper, backend] = ['helper@acme.example', 'backend@vendor.example'];
  const { organizationId } = acme;
  ({ id: helperId } = await done(operator, 'addUser', { organizationId, email: helper, name: 'Helper' }));
  await done(operator, 'addServiceAccount', {
    ...{ email: backend, name: 'Backend', capabilities: ['ACCESS_EVALUATION'] },
    evaluatedProducts: ['jira', 'confluence'],
  });
  people = {
    ...{ admin: admins.acme, guard: guardAdmins.acme, operator },
    ...{ reporter: await gateway.as(acme.emails.reporter), helper: await gateway.as(helper) },
    backend: await gateway.as(backend),
  };
  engineers = [await gateway.as(engineer.email), await gateway.as(otherEngineer.email)];
  const { admin, guard, reporter } = people;
  actors = {
    ...{ admin: admin.email, guard: guard.email, reporter: reporter.email, operator: operator.email },
    ...{ helper, engineers: engineers.map(({ email }) => email) },
  };
  time -= years;
});
afterAll(async () => {
  await database?.dispose();
  await gateway?.dispose();
});

const ticket = fc.constantFrom(0, 1);
/** Mostly the engineer of the ticket. */
const who = fc.constantFrom(0, 0, 0, 1);
const doing = <Name extends string>(...names: Name[]) => fc.constantFrom(...names);
const weighted = <Value>(weight: number, arbitrary: fc.Arbitrary<Value>) => ({ weight, arbitrary });

/** Moves the clock, to so many milliseconds beside the next limit of the ticket, or on. */
type Wait = { do: 'waitFor'; ticket: number; beside: number } | { do: 'wait'; minutes: number };

const anyStep: fc.Arbitrary<Step | Wait> = fc.oneof(
  weighted(
    5,
    fc.record({
      do: doing('approve'),
      ticket,
      minutes: fc.constantFrom(null, null, 20),
      helper: fc.boolean(),
    }),
  ),
  weighted(
    4,
    fc.record({ do: doing('approveAsGuard', 'approveAsGuard', 'approveAsGuard', 'denyAsGuard'), ticket }),
  ),
  weighted(8, fc.record({ do: doing('start', 'start', 'requestChange', 'request'), ticket, who })),
  weighted(5, fc.record({ do: doing('consent', 'consent', 'consent', 'refuse', 'takeBack'), ticket })),
  weighted(2, fc.record({ do: doing('revoke', 'close', 'deny', 'reopen', 'reopen'), ticket })),
  weighted(
    3,
    fc.record({ do: doing('end', 'end', 'release', 'withdraw', 'withdrawChange', 'record'), ticket, who }),
  ),
  weighted(2, fc.record({ do: doing('assign'), ticket, to: fc.constantFrom(0, 0, 1, null) })),
  weighted(1, fc.record({ do: doing('status'), ticket, status: doing('OPEN', 'WAITING_FOR_CUSTOMER') })),
  weighted(1, fc.record({ do: doing('update'), ticket, who, product: doing('jira', 'jira', 'confluence') })),
  weighted(
    2,
    fc.record({
      do: doing('deactivate', 'reactivate', 'reactivate', 'license', 'unlicense', 'promote', 'demote'),
    }),
  ),
  weighted(1, fc.record({ do: doing('wait'), minutes: fc.constantFrom(2, 10, 25, 45) })),
  weighted(2, fc.record({ do: doing('waitFor'), ticket, beside: fc.constantFrom(-1, 0, 1) })),
  weighted(
    7,
    fc.record({
      do: doing('ask'),
      ticket,
      who,
      action: doing('work_item.read', 'work_item.read', 'change.apply'),
    }),
  ),
);

const on = { ticket: 0 } as const;
const by = { ticket: 0, who: 0 } as const;
const approve = { do: 'approve', ...on, minutes: null, helper: false } as const;
const read = { do: 'ask', ...by, action: 'work_item.read' } as const;
const apply = { do: 'ask', ...by, action: 'change.apply' } as const;
const atLimit = { do: 'waitFor', ...on, beside: 0 } as const;
const ofCustomers: readonly Step['do'][] = [
  ...(['consent', 'refuse', 'takeBack', 'revoke', 'deny', 'close', 'reopen'] as const),
  ...(['approveAsGuard', 'denyAsGuard'] as const),
];
const steps = (...names: Step['do'][]) =>
  names.map((name) => ({ do: name, ...(ofCustomers.includes(name) ? on : by) }) as Step);

/** Every kind of thing happens in one of these. */
const examples: [boolean, boolean, (Step | Wait)[]][] = [
  [
    false,
    true,
    [
      ...[
        ...steps('start'),
        read,
        ...steps('requestChange', 'consent'),
        apply,
        ...steps('record', 'end', 'end'),
      ],
      ...[
        ...steps('start', 'requestChange', 'refuse', 'requestChange', 'consent', 'takeBack', 'requestChange'),
      ],
      ...[
        ...steps('withdrawChange', 'requestChange', 'release', 'end'),
        atLimit,
        atLimit,
        approve,
        ...steps('start'),
      ],
      ...[{ do: 'wait', minutes: 29 } as const, read, atLimit, atLimit, ...steps('end', 'start', 'revoke')],
      ...[{ ...approve, minutes: 20 }, ...steps('start'), { do: 'waitFor', ...on, beside: -1 } as const],
      ...[atLimit, ...steps('request', 'withdraw', 'request', 'deny', 'request'), atLimit, approve],
      ...[
        ...steps('start'),
        { do: 'assign', ...on, to: 1 } as const,
        { do: 'assign', ...on, to: 1 } as const,
      ],
      ...[{ do: 'update', ...by, who: 1, product: 'confluence' } as const, approve],
      ...[
        { do: 'status', ...on, status: 'WAITING_FOR_CUSTOMER' } as const,
        ...steps('close', 'close', 'reopen'),
      ],
    ],
  ],
  [
    true,
    false,
    [
      ...[
        approve,
        ...steps('approveAsGuard', 'start'),
        read,
        { do: 'deactivate' } as const,
        { do: 'reactivate' } as const,
      ],
      ...[approve, ...steps('denyAsGuard'), { ...approve, helper: true }, { do: 'demote' } as const],
      ...[
        ...steps('approveAsGuard'),
        approve,
        ...steps('revoke'),
        approve,
        ...steps('approveAsGuard', 'start'),
      ],
      ...[{ do: 'unlicense' } as const],
    ],
  ],
];

type Site = { id: string; url: string; jira: string; restricted: boolean };

/** A site of its own for each history: nobody has access there before. */
async function openSite(restricted: boolean): Promise<Site> {
  const { organizationId } = world.acme;
  const { admin, guard, operator } = people;
  const url = `https://site-${time}.example`;
  const { id } = await done(operator, 'createSite', {
    ...{ organizationId, url, name: 'Site', experience: 'CENTRALIZED' },
  });
  const { id: jira } = await done(operator, 'licenseProduct', { siteId: id, key: 'jira', name: 'Jira' });
  await done(operator, 'licenseProduct', { siteId: id, key: 'confluence', name: 'Confluence' });
  await done(admin, 'setSupportAccessPolicy', {
    ...{ siteId: id, requestWaitSeconds: limits.requestWait / 1_000, samePersonMayApproveTwice: false },
    ...{ sessionIdleSeconds: limits.sessionIdle / 1_000, maxSessionSeconds: limits.session / 1_000 },
  });
  if (restricted) await done(guard, 'setSupportAccessRestrictions', { siteId: id, restricted });
  return { id, url, jira, restricted };
}

/** One history: the site, its tickets, and what has been acknowledged. */
async function beginHistory(restricted: boolean) {
  const site = await openSite(restricted);
  const { id: siteId } = site;
  const history: Happened[] = [];
  const tickets: { id: string; key: string }[] = [];
  const replayed = () => replay(history, restricted, actors);
  let roleId: string | null = null;

  /** Returns what the command was answered: its object, or the code of the refusal. */
  async function perform(step: Exclude<Step, { do: 'ask' | 'file' }>): Promise<Json> {
    const { admin, helper, guard, operator } = people;
    const newest = replayed().newest('ticket' in step ? step.ticket : 0);
    const ticketId = 'ticket' in step ? tickets[step.ticket]?.id : '';
    // Where there is none, the ticket is named, which is none.
    const [grantId, changeRequestId] = [newest.grant ?? ticketId, newest.change ?? ticketId];
    const engineer = ('who' in step ? engineers[step.who] : engineers[newest.engineer]) ?? admin;
    switch (step.do) {
      case 'deactivate':
      case 'reactivate':
        return await attempt(admin, `${step.do}Site`, { siteId });
      case 'license':
        return await attempt(operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
      case 'unlicense':
        return await attempt(operator, 'unlicenseProduct', { productId: site.jira });
      case 'promote':
      case 'demote':
        return await setHelper(step.do === 'promote');
      case 'approve': {
        const expiresAt = step.minutes === null ? null : new Date(time + step.minutes * minute).toISOString();
        return await attempt(step.helper ? helper : admin, 'approveDataAccess', { ticketId, expiresAt });
      }
      case 'deny':
        return await attempt(admin, 'denyDataAccess', { grantId });
      case 'revoke':
        return await attempt(admin, 'revokeDataAccess', { grantId });
      case 'approveAsGuard':
        return await attempt(guard, 'approveGuardRequest', { grantId });
      case 'denyAsGuard':
        return await attempt(guard, 'denyGuardRequest', { grantId });
      case 'close':
      case 'reopen':
        return await attempt(admin, `${step.do}Ticket`, { ticketId });
      case 'assign': {
        const engineerId = [world.engineer.id, world.otherEngineer.id][step.to ?? -1] ?? null;
        return await attempt(operator, 'assignTicket', { ticketId, engineerId });
      }
      case 'status':
        return await attempt(engineer, 'updateTicketStatus', { ticketId, status: step.status });
      case 'update':
        return await attempt(engineer, 'updateTicket', { ticketId, productKey: step.product });
      case 'request':
        return await attempt(engineer, 'requestDataAccess', { ticketId });
      case 'withdraw':
        return await attempt(engineer, 'withdrawDataAccessRequest', { grantId });
      case 'release':
        return await attempt(engineer, 'releaseDataAccess', { grantId });
      case 'start': {
        const why = { reason: 'INVESTIGATE_PROBLEM', note: 'Looks', country: 'DE' };
        return await attempt(engineer, 'startSupportSession', { grantId, ...why });
      }
      case 'end':
        return await attempt(engineer, 'endSupportSession', { supportSessionId: newest.session ?? ticketId });
      case 'requestChange':
        return await attempt(engineer, 'requestChange', {
          ...{ ticketId, kind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
          ...{ description: 'Let support in', justification: 'To see it' },
          validUntil: new Date(time + limits.change).toISOString(),
        });
      case 'consent':
        return await attempt(admin, 'consentToChange', { changeRequestId });
      case 'refuse':
        return await attempt(admin, 'refuseChange', { changeRequestId });
      case 'takeBack':
        return await attempt(admin, 'revokeChangeConsent', { changeRequestId });
      case 'withdrawChange':
        return await attempt(engineer, 'withdrawChangeRequest', { changeRequestId });
      case 'record':
        return await attempt(engineer, 'recordChangeResult', { changeRequestId, result: 'APPLIED' });
    }
  }

  async function setHelper(may: boolean): Promise<Json> {
    if (may === (roleId !== null)) return { id: roleId };
    const { organizationId } = world.acme;
    const role = { userId: helperId, role: 'USER_ACCESS_ADMIN', organizationId, siteId };
    if (may) roleId = (await assignRole(world, role)).id;
    else await done(people.admin, 'removeRole', { roleAssignmentId: roleId });
    if (!may) roleId = null;
    return { id: roleId };
  }

  async function ask({ ticket: number, who, action }: Extract<Step, { do: 'ask' }>): Promise<Happened> {
    const { change, product } = replayed().newest(number);
    const isChange = action === 'change.apply';
    const response = await fetch(`${gateway.url}/access/v1/evaluation`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.backend.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        subject: { type: 'support_engineer', id: actors.engineers[who] },
        action: { name: action },
        resource: {
          type: isChange ? 'project' : 'work_item',
          id: 'ACME',
          properties: { site: site.url, product },
        },
        context: {
          ticket: tickets[number]?.key,
          ...(isChange ? { change_request: change ?? tickets[number]?.id } : {}),
        },
      }),
      signal: AbortSignal.timeout(generousMs),
    });
    expect(response.status).toBe(200);
    const { decision: yes } = (await response.json()) as { decision: boolean };
    return { step: { do: 'ask', ticket: number, who, action }, at: time, id: change ?? '', yes };
  }

  async function expectAccess(): Promise<void> {
    const { site: found } = await people.admin.ask(whoHasAccess, { url: site.url });
    const shown = found.activeAccess.edges.map(({ node }: Json) => ({
      ...{ id: node.id, engineer: node.engineer?.email ?? null, activatedAt: node.activatedAt },
      session: sessionOf(node.sessions.edges[0]?.node),
    }));
    expect({ history, shown }).toEqual({ history, shown: replayed().access(time) });
  }

  return {
    async file(number: number, ticked: boolean): Promise<void> {
      time += stepMs;
      const input = { productId: site.jira, summary: 'It is slow', grantDataAccess: ticked };
      const { filed } = await people[ticked ? 'admin' : 'reporter'].ask(filing, { input });
      tickets[number] = filed;
      const id = filed.grants.edges[0].node.id;
      history.push({ step: { do: 'file', ticket: number, ticked }, at: time, id });
      await this.take({ do: 'assign', ticket: number, to: 0 });
    },
    setHelper,
    async take(step: Step | Wait): Promise<void> {
      if (step.do === 'wait') {
        time += step.minutes * minute;
        return;
      }
      if (step.do === 'waitFor') {
        const limit = replayed().nextLimit(step.ticket);
        // The clock never goes back.
        if (limit !== null) time = Math.max(time, limit + step.beside - stepMs);
        return;
      }
      time += stepMs;
      if (tickets.some((_, number) => (replayed().nextLimit(number) ?? Number.POSITIVE_INFINITY) <= time)) {
        // Over, and not written yet.
        await expectAccess();
        const dependencies = { database, clock, logger, announce: () => undefined };
        for (const job of [endDueSessions, endExpiredGrants, expireChangeRequests]) await job(dependencies);
        history.push({ step: { do: 'sweep' }, at: time });
      }
      if (step.do === 'ask') {
        history.push(await ask(step));
      } else if (step.do !== 'file') {
        const { id, code } = await perform(step);
        if (code === undefined) history.push({ step, at: time, id });
        if (code === 'APPROVAL_LAPSED' && 'ticket' in step)
          history.push({ step: { do: 'lapse', ticket: step.ticket }, at: time });
      }
      await expectAccess();
    },
    /** Compares the timelines, and returns the kinds of their items. */
    async expectTimelines(): Promise<string[]> {
      const kinds: string[] = [];
      for (const [number, { id }] of tickets.entries()) {
        const items = (await timelineOf(id)).toReversed();
        const shown = items.map(({ kind, actor, occurredAt, grant, supportSession, changeRequest }) =>
          itemOf(kind, actor.email ?? actor.kind, occurredAt, {
            ...{ grant: grant?.id, session: supportSession?.id, change: changeRequest?.id },
          }),
        );
        expect({ history, shown }).toEqual({ history, shown: replayed().timeline(number) });
        kinds.push(...items.map(({ kind }) => kind));
      }
      return kinds;
    },
  };
}

const filing = `mutation ($input: CreateTicketInput!) {
  filed: createTicket(input: $input) { ... on Ticket { id key grants(first: 1) { edges { node { id } } } } } }`;

const whoHasAccess = `query ($url: String!) { site(url: $url) { activeAccess(first: 10) { edges { node {
  id activatedAt engineer { email } sessions(first: 1) { edges { node {
    id state startedAt lastUsedAt endedAt endReason
    actions(first: 1) { edges { node { action outcome occurredAt } } } } } } } } } } }`;

function sessionOf(node: Json): Json {
  if (node === undefined) return null;
  const { actions, ...session } = node;
  const { action, outcome, occurredAt } = actions.edges[0].node;
  return { ...session, lastAction: actionOf(action, outcome, occurredAt) };
}

/** All pages, newest first. */
async function timelineOf(id: string): Promise<Json[]> {
  const items: Json[] = [];
  for (let after: string | null = null; ; ) {
    const { node } = await people.admin.ask(
      `query ($id: ID!, $after: String) { node(id: $id) { ... on Ticket { timeline(first: 13, after: $after) {
         edges { node { kind occurredAt actor { kind email } grant { id } supportSession { id } changeRequest { id } } }
         pageInfo { hasNextPage endCursor } } } } }`,
      { id, after },
    );
    items.push(...node.timeline.edges.map((edge: Json) => edge.node));
    if (!node.timeline.pageInfo.hasNextPage) return items;
    after = node.timeline.pageInfo.endCursor;
  }
}

test(`timelines and active access say what the commands did, each once and in order (SHOWN_SEED=${seed})`, async () => {
  const kinds = new Set<string>();
  const histories = fc.array(anyStep, { minLength: 20, maxLength: bySize(30, 60) });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.boolean(), histories, async (restricted, ticked, sequence) => {
      time += stepMs;
      const told = await beginHistory(restricted);
      await told.setHelper(true);
      await told.file(0, ticked);
      await told.file(1, !ticked);
      for (const step of sequence) await told.take(step);
      for (const kind of await told.expectTimelines()) kinds.add(kind);
    }),
    { seed, numRuns: bySize(5, 150), examples },
  );
  const { __type } = await people.admin.ask('{ __type(name: "TimelineItemKind") { enumValues { name } } }');
  expect([...kinds].toSorted()).toEqual(__type.enumValues.map(({ name }: Json) => name).toSorted());
});
