/** Creates everybody in the authorization table: accounts with their roles, signed in. */
import { newId } from '../../src/platform/ids.ts';
import { beginChanges } from '../support/begun-changes.ts';
import type { Person, TestGateway } from '../support/gateway.ts';
import { assignRole, done, startGatewayWithWorld, type World } from '../support/world.ts';
import type { guardsAndUnsynced, outsiders, people, vendor } from './authorization-table.ts';

export type Name =
  | keyof typeof outsiders
  | keyof typeof people
  | keyof typeof guardsAndUnsynced
  | keyof typeof vendor;

export type Everybody = {
  world: World;
  /** By column; some columns of the table stand for several people. */
  people: Record<Name, Person[]>;
  /** An account of Acme that is none of these people, and its role. */
  colleague: { id: string; roleAssignmentId: string };
  /** An engineer without tickets who is none of these people. */
  thirdEngineer: { id: string; email: string };
  /** Database ids of accounts by email. */
  accountIds: ReadonlyMap<string, string>;
  operatorId: string;
  /** A service account without an organization that is none of these people. */
  programId: string;
};

/** The database id in a global id. */
export function rawId(globalId: string): string {
  return Buffer.from(globalId, 'base64').toString().split(':')[1] ?? '';
}

export function globalId(type: string, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

export async function startGatewayWithEverybody(): Promise<{ gateway: TestGateway; everybody: Everybody }> {
  const { gateway, world } = await startGatewayWithWorld({ maintenance: false });
  return { gateway, everybody: await gatherEverybody(gateway, world) };
}

async function gatherEverybody(gateway: TestGateway, world: World): Promise<Everybody> {
  const { operator, acme, globex } = world;
  const { main, restricted, original } = acme.sites;
  const { organizationId } = acme;

  async function join(name: string, role?: Record<string, unknown>) {
    const email = `${name.toLowerCase()}@acme.example`;
    const user = await done(operator, 'addUser', { organizationId, email, name });
    const assignment =
      role === undefined ? null : await assignRole(world, { userId: user.id, organizationId, ...role });
    return { email, id: user.id, roleAssignmentId: assignment?.id ?? '' };
  }
  const add = (email: string, capabilities: string[], organization?: string) =>
    done(operator, 'addServiceAccount', { email, name: email, capabilities, organizationId: organization });
  const program = async (email: string, capabilities: string[], organization: string) => {
    await add(email, capabilities, organization);
    return [await gateway.as(email)];
  };

  const stranger = 'stranger@nowhere.example';
  await done(operator, 'addSupportEngineer', { email: stranger, name: 'Nobody for long' });
  const strangerSelf = await gateway.as(stranger);
  await gateway.sql.query('DELETE FROM accounts WHERE email = $1', [stranger]);

  const admin = { role: 'ORGANIZATION_ADMIN' };
  const deactivated = await join('deactivated', admin);
  const deactivatedSelf = await gateway.as(deactivated.email);
  await deactivatedSelf.ask('{ viewer { kind } }');
  await done(operator, 'deactivateAccount', { accountId: deactivated.id });
  const former = await join('former', admin);
  const formerSelf = await gateway.as(former.email);
  await formerSelf.ask('{ viewer { kind } }');
  await done(operator, 'removeUser', { organizationId, userId: former.id });

  const colleague = await join('colleague', {
    ...{ role: 'TECHNICAL_CONTACT', siteId: original.id, productId: original.products.confluence },
  });
  const third = 'third@vendor.example';
  const thirdEngineer = await done(operator, 'addSupportEngineer', { email: third, name: 'Third' });

  const analyst = 'analyst@vendor.example';
  await done(operator, 'addComplianceAnalyst', { email: analyst, name: 'Analyst' });

  const { id: programId } = await add('bystander@vendor.example', ['TICKETING']);

  const as = async (email: string) => [await gateway.as(email)];
  const joined = async (name: string, role?: Record<string, unknown>) =>
    await as((await join(name, role)).email);
  const { organizationAdmin: globexAdmin, guardAdmin: globexGuard, ...globexOthers } = globex.emails;
  const one = acme.emails;
  const scim = { origin: 'SCIM' };
  const people: Record<Name, Person[]> = {
    anonymous: [gateway.withToken(null)],
    stranger: [strangerSelf],
    deactivated: [deactivatedSelf],
    former: [formerSelf],
    globexAdmin: [await gateway.as(globexAdmin), await gateway.as(globexGuard)],
    globexOther: await Promise.all(Object.values(globexOthers).map((email) => gateway.as(email))),
    globexProg: await program(
      'program@globex.example',
      ['TICKETING', 'GRANT_WATCHING', 'AUDIT_READING'],
      globex.organizationId,
    ),
    member: await joined('member'),
    reporter: await as(one.reporter),
    approver: await joined('approver'),
    orgAdmin: await as(one.organizationAdmin),
    userAdmin: await as(one.userAccessAdmin),
    siteAdmin: await as(one.siteAdmin),
    jiraAdmin: await as(one.jiraAdmin),
    confAdmin: await as(one.confluenceAdmin),
    jiraElse: await as(one.jiraAdminElsewhere),
    trusted: await as(one.trustedUser),
    billing: await as(one.billingAdmin),
    contact: await as(one.technicalContact),
    auditor: await joined('auditor', { role: 'AUDITOR' }),
    guard: await as(one.guardAdmin),
    siteGuard: await joined('siteGuard', { role: 'GUARD_ADMIN', siteId: main.id }),
    guardElse: await joined('guardElse', { role: 'GUARD_ADMIN', siteId: restricted.id }),
    unsynced: await as(one.unsyncedAdmin),
    unsyncOrg: await joined('unsyncOrg', { ...admin, ...scim }),
    unsyncGrd: await joined('unsyncGrd', { role: 'GUARD_ADMIN', ...scim }),
    engineer: await as(world.engineer.email),
    otherEng: await as(world.otherEngineer.email),
    operator: [operator],
    ticketing: await as(world.services.ticketing),
    watching: await as(world.services.watching),
    auditing: await as(world.services.auditing),
    analyst: await as(analyst),
    acmeTickt: await program('ticketing@acme.example', ['TICKETING'], organizationId),
    acmeWatch: await as(world.services.acmeWatching),
    acmeAudit: await program('auditing@acme.example', ['AUDIT_READING'], organizationId),
  };
  // The first request of an account binds it to the subject of its token.
  await Promise.all(
    Object.values(people)
      .flat()
      .map((person) => person.send('{ viewer { kind } }')),
  );
  const { rows } = await gateway.sql.query<{ email: string; id: string }>('SELECT email, id FROM accounts');
  const accountIds = new Map(rows.map(({ email, id }) => [email, id]));
  return {
    world,
    people,
    colleague,
    thirdEngineer: { id: thirdEngineer.id, email: third },
    accountIds,
    operatorId: globalId('Operator', accountIds.get(operator.email) ?? ''),
    programId,
  };
}

export type TicketSpec = {
  /** Global ids. */
  siteId: string;
  productId: string;
  /** Ids in the database. */
  reporterId: string;
  assigneeId: string | null;
  closed?: boolean;
  /** The state of its grant; absent if it has none. */
  grant?: 'PENDING_APPROVAL' | 'PENDING_GUARD_APPROVAL' | 'ACTIVE';
  /** The person who approved it, and consented to its change request, if somebody did. */
  approverId?: string | null;
  /** The state of a change request on it; absent if it has none. */
  change?: 'PENDING_CONSENT' | 'CONSENTED' | 'IN_PROGRESS';
};

/** Inserts tickets with grants and change requests, with the same rows that commands would write. Returns global ids. */
export async function fileTickets(
  gateway: TestGateway,
  specs: readonly TicketSpec[],
): Promise<{ ticketId: string; grantId: string; changeRequestId: string; key: string }[]> {
  const { sql } = gateway;
  const now = new Date();
  const made = specs.map((spec) => {
    serial += 1;
    return {
      ...spec,
      id: newId(),
      siteId: rawId(spec.siteId),
      grantId: newId(),
      changeId: newId(),
      key: `TABLE-${serial}`,
    };
  });
  const tickets = made.map(({ id, siteId, productId, reporterId, assigneeId, closed = false, key }) => ({
    ...{ id, key, summary: 'It is slow', site_id: siteId, product_id: rawId(productId) },
    ...{ reporter_id: reporterId, assignee_id: assigneeId, version: 1, created_at: now },
    ...{ status: closed ? 'CLOSED' : 'OPEN', closed_at: closed ? now : null },
  }));
  const grants = made.flatMap(({ id, siteId, grantId, assigneeId, reporterId, grant, approverId }) => {
    if (grant === undefined) return [];
    const approved = grant !== 'PENDING_APPROVAL';
    return {
      ...{ id: grantId, ticket_id: id, site_id: siteId, scope_kind: 'PRODUCT_DATA', conversation_ids: [] },
      ...{ state: grant, path: approved ? 'SUPPORT_PORTAL' : null, engineer_id: assigneeId, version: 1 },
      ...{ requested_by_id: reporterId, requested_at: now },
      approval_due_at: new Date(now.getTime() + 86_400_000),
      customer_approved_at: approved ? now : null,
      customer_approved_by_id: approved ? (approverId ?? reporterId) : null,
      ...(grant === 'ACTIVE'
        ? { activated_at: now, guard_required: false, same_person_may_approve_twice: false }
        : {}),
    };
  });
  await sql.query('INSERT INTO tickets SELECT * FROM jsonb_populate_recordset(NULL::tickets, $1)', [
    JSON.stringify(tickets),
  ]);
  await sql.query(
    `WITH inserted AS (INSERT INTO grants SELECT * FROM jsonb_populate_recordset(NULL::grants, $1) RETURNING *)
     INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, decided_at)
     SELECT gen_random_uuid(), id, 'CUSTOMER', 'APPROVED', customer_approved_by_id, customer_approved_at
       FROM inserted WHERE customer_approved_by_id IS NOT NULL`,
    [JSON.stringify(grants)],
  );
  await requestChanges(gateway, made, now);
  return made.map(({ id, grantId, changeId, key }) => ({
    ticketId: globalId('Ticket', id),
    grantId: globalId('Grant', grantId),
    changeRequestId: globalId('ChangeRequest', changeId),
    key,
  }));
}
let serial = 0;

/** Inserts an open support session of its engineer under each of the active grants. Returns global ids. */
export async function openSessions(
  { sql }: TestGateway,
  grants: readonly { grantId: string }[],
): Promise<string[]> {
  const made = grants.map(({ grantId }) => ({ id: newId(), grant_id: rawId(grantId) }));
  await sql.query(
    `INSERT INTO support_sessions (id, grant_id, ticket_id, site_id, organization_id, engineer_id, reason, note, country,
            started_at, last_used_at, idle_seconds, expires_at, due_at, version)
     SELECT made.id, g.id, g.ticket_id, g.site_id, s.organization_id, g.engineer_id, 'INVESTIGATE_PROBLEM', 'To see it',
            'DE', now(), now(), 86400, now() + interval '1 day', now() + interval '1 day', 1
       FROM jsonb_to_recordset($1) AS made(id uuid, grant_id uuid)
       JOIN grants g ON g.id = made.grant_id JOIN sites s ON s.id = g.site_id`,
    [JSON.stringify(made)],
  );
  return made.map(({ id }) => globalId('SupportSession', id));
}

type Filed = TicketSpec & { id: string; changeId: string };

/** Inserts the change request of each ticket that has one. */
async function requestChanges(gateway: TestGateway, made: readonly Filed[], now: Date): Promise<void> {
  const asking = made.filter(({ change }) => change !== undefined);
  const requests = asking.map(({ id, siteId, changeId, assigneeId, reporterId, approverId, change }) => ({
    ...{
      id: changeId,
      ticket_id: id,
      site_id: siteId,
      requested_by_id: assigneeId,
      requested_at: now,
    },
    ...{ kind: 'SETTINGS', resource_type: 'project', resource_id: 'ACME', version: 1 },
    ...{ description: 'Switch it on', justification: 'It is off' },
    valid_until: new Date(now.getTime() + 86_400_000),
    state: change === 'PENDING_CONSENT' ? change : 'CONSENTED',
    ...(change === 'PENDING_CONSENT' ? {} : { decided_at: now, decided_by_id: approverId ?? reporterId }),
  }));
  await gateway.sql.query(
    `INSERT INTO change_requests (id, ticket_id, site_id, organization_id, kind, resource_type, resource_id, description,
                                  justification, requested_by_id, requested_at, valid_until, state, decided_at, decided_by_id,
                                  version)
     SELECT c.id, c.ticket_id, c.site_id, s.organization_id, c.kind, c.resource_type, c.resource_id, c.description,
            c.justification, c.requested_by_id, c.requested_at, c.valid_until, c.state, c.decided_at, c.decided_by_id, c.version
       FROM jsonb_populate_recordset(NULL::change_requests, $1) c JOIN sites s ON s.id = c.site_id`,
    [JSON.stringify(requests)],
  );
  const begun = asking.filter(({ change }) => change === 'IN_PROGRESS');
  await beginChanges(
    gateway,
    begun.map(({ changeId }) => globalId('ChangeRequest', changeId)),
  );
}
