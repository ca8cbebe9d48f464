/**
 * A gateway that runs one sequence after another, with a database and a clock of its own. Each sequence gets a
 * new customer.
 */

import { endDueSessions } from '../../src/commands/end-due-sessions.ts';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import { expireChangeRequests } from '../../src/commands/expire-change-requests.ts';
import { settleDueChanges } from '../../src/commands/settle-due-changes.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { setMachineClock } from '../support/machine-clock.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { everybody, type Model, members, type Who } from './model.ts';
import { type Product, type Site, siteOf } from './model-who-may-grant.ts';

export const sites: Site[] = ['one', 'two'];
export const products: Product[] = ['jira@one', 'confluence@one', 'jira@two'];

/** The start time of every sequence, in milliseconds since 1970. */
export const beginning: number = Date.parse('2026-03-02T10:00:00.000Z');
const year = 365 * 24 * 60 * 60 * 1000;

/** The customer of one sequence on the gateway, and how far its audit log and events were read. */
export type Reality = {
  lane: Lane;
  organizationId: string;
  sites: Record<Site, string>;
  products: Record<Product, string>;
  /** Ids of role assignments, in the order of the model's. */
  roles: string[];
  /** Ids in the order of creation, as the model numbers them. */
  tickets: string[];
  grants: string[];
  sessions: string[];
  changes: string[];
  proposals: string[];
  /** The last audit entry and the last event read: transaction and number. */
  seen: { entries: [string, string]; events: [string, string] };
  /** The last command that had an idempotency key, and its answer. */
  repeatable: Repeatable | null;
};

export type Repeatable = {
  who: Who;
  name: string;
  answers: Answered;
  input: Input;
  /** The answer that a repetition must get. */
  answerLater: (now: number) => Json;
};

/** The input of a mutation: ids of what it is about, and other fields. */
export type Input = {
  ticketId?: string;
  grantId?: string;
  grantIds?: string[];
  changeRequestId?: string;
  supportSessionId?: string;
  [more: string]: unknown;
};

/** The types that mutations return. */
export type Answered =
  | 'Ticket'
  | 'Grant'
  | 'ChangeRequest'
  | 'SupportSession'
  | 'Site'
  | 'Product'
  | 'RoleAssignment'
  | 'Organization'
  | 'ProposedChange'
  | 'BulkPayload';

export type Lane = {
  people: Record<Who, Person>;
  accounts: Record<Who, string>;
  setClock(now: number): void;
  sweep(): Promise<void>;
  /** Creates a customer in the state of the model. */
  begin(model: Model): Promise<Reality>;
  /** Reads everything that is compared, in one statement. */
  look(reality: Reality): Promise<Seen>;
  /** Expects all entries that the sequences have left to be as documented. */
  expectDocumentedRecords(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Rows as JSON, by column name. */
export type Seen = {
  tickets: Json[];
  grants: Json[];
  decisions: Json[];
  sessions: Json[];
  changes: Json[];
  sites: Json[];
  roles: Json[];
  proposals: Json[];
  licensed: Json[];
  entries: Json[];
  events: Json[];
};

/**
 * @param machines a gateway for each, whose machine's clock is so many milliseconds ahead. People use them in turn, all on
 *   one database, whose time is the model's.
 */
export async function startLane(machines: readonly [number, ...number[]] = [0]): Promise<Lane> {
  let now = beginning;
  const clock = () => new Date(now);
  await using begun = new AsyncDisposableStack();
  const options = { clock, maintenance: false, config: { databasePoolSize: 2 } };
  const gateway = begun.use(await startGateway(options));
  const gateways = [gateway];
  for (const _ of machines.slice(1))
    gateways.push(begun.use(await startGateway({ ...options, databaseUrl: gateway.databaseUrl })));
  const logger = createLogger('silent');
  const database = begun.adopt(
    openDatabase({ url: gateway.databaseUrl, logger, poolSize: 1, deadlines: generousDatabaseDeadlines }),
    (opened) => opened.dispose(),
  );

  const accounts = Object.fromEntries(everybody.map((who) => [who, newId()])) as Record<Who, string>;
  const kinds = {
    engineer: 'SUPPORT_ENGINEER',
    otherEngineer: 'SUPPORT_ENGINEER',
    ticketing: 'SERVICE_ACCOUNT',
  };
  for (const who of everybody) {
    if (who === 'operator') continue;
    const kind = who in kinds ? kinds[who as keyof typeof kinds] : 'USER';
    await gateway.sql.query(
      `INSERT INTO accounts (id, kind, email, name, capabilities, created_at)
       VALUES ($1, $2::account_kind, $3, $4, $5::service_capability[], now())`,
      [accounts[who], kind, emailOf(who), who, who === 'ticketing' ? '{TICKETING}' : '{}'],
    );
  }
  const { rows } = await gateway.sql.query(`SELECT id FROM accounts WHERE kind = 'OPERATOR'`);
  accounts.operator = rows[0].id;
  // The stranger administers another organization.
  const elsewhere = newId();
  await gateway.sql.query(
    `INSERT INTO organizations VALUES ('${elsewhere}', 'Elsewhere', true, now());
     INSERT INTO memberships VALUES ('${elsewhere}', '${accounts.stranger}', now());
     INSERT INTO role_assignments (id, account_id, role, organization_id, created_at)
     VALUES ('${newId()}', '${accounts.stranger}', 'ORGANIZATION_ADMIN', '${elsewhere}', now())`,
  );
  // Tokens that outlive every sequence.
  now = beginning + year;
  const people = {} as Record<Who, Person>;
  for (const who of everybody) {
    people[who] = await inTurn(gateways, machines, emailOf(who));
    // The first request of an account binds it to its token, which the audit log records.
    await people[who].ask('{ viewer { kind } }');
  }
  now = beginning;
  const running = begun.move();

  async function begin(model: Model): Promise<Reality> {
    now = model.now;
    const organizationId = newId();
    const siteIds = { one: newId(), two: newId() };
    const productIds = { 'jira@one': newId(), 'confluence@one': newId(), 'jira@two': newId() };
    const roles = model.roles.map(() => newId());
    const everyone = members.map((who) => `'${accounts[who]}'`).join(', ');
    const quoted = (id: string | undefined) => (id === undefined ? 'NULL' : `'${id}'`);
    await gateway.sql.query(`
      BEGIN;
      DELETE FROM role_assignments WHERE account_id IN (${everyone});
      DELETE FROM memberships WHERE account_id IN (${everyone});
      UPDATE grants SET state = (CASE state WHEN 'ACTIVE' THEN 'REVOKED' ELSE 'WITHDRAWN' END)::grant_state,
             end_reason = 'TICKET_CLOSED', ended_at = coalesce(activated_at, customer_approved_at, requested_at),
             version = version + 1
       WHERE ended_at IS NULL;
      UPDATE support_sessions SET ended_at = started_at, end_reason = 'TICKET_CLOSED', version = 2 WHERE ended_at IS NULL;
      UPDATE change_requests SET state = 'WITHDRAWN', end_reason = 'TICKET_CLOSED', ended_by_id = requested_by_id,
             ended_at = requested_at, version = version + 1
       WHERE ended_at IS NULL;
      UPDATE proposed_changes SET state = 'WITHDRAWN', settled_by_id = proposed_by_id, settled_at = proposed_at,
             version = version + 1
       WHERE state = 'WAITING';
      INSERT INTO organizations VALUES ('${organizationId}', 'Customer', ${model.hasGuard}, now());
      INSERT INTO memberships SELECT '${organizationId}', unnest(ARRAY[${everyone}]::uuid[]), now();
      ${sites
        .map((site) => {
          const { experience, active, restricted, waitSeconds, maxGrantSeconds, samePersonMayApproveTwice } =
            model.sites[site];
          return `INSERT INTO sites (id, organization_id, url, name, status, experience, support_access_restricted,
                         data_residency_region, request_wait_seconds, max_grant_seconds, same_person_may_approve_twice, created_at)
            VALUES ('${siteIds[site]}', '${organizationId}', 'https://${siteIds[site]}.example', '${site}',
                    '${active ? 'ACTIVE' : 'DEACTIVATED'}', '${experience}', ${restricted}, 'GLOBAL', ${waitSeconds},
                    ${maxGrantSeconds}, ${samePersonMayApproveTwice}, now());`;
        })
        .join('\n')}
      ${products
        .map(
          (product) => `INSERT INTO products VALUES ('${productIds[product]}', '${siteIds[siteOf(product)]}',
            '${product.split('@')[0]}', '${product}', ${model.licensed[product]}, now());`,
        )
        .join('\n')}
      ${model.roles
        .map(
          ({ who, role, site, product, direct, synced }, index) => `
            INSERT INTO role_assignments VALUES ('${roles[index]}', '${accounts[who]}', '${role}', '${organizationId}',
              ${quoted(site && siteIds[site])}, ${quoted(product && productIds[product])},
              '${direct ? 'DIRECT' : 'SCIM'}', '${synced ? 'SYNCED' : 'PENDING_SYNC'}', '${clock().toISOString()}');`,
        )
        .join('\n')}
      COMMIT;`);
    const { rows: last } = await gateway.sql.query(lastSeen);
    const reality: Reality = {
      ...{ lane, organizationId, sites: siteIds, products: productIds, roles },
      ...{
        tickets: [],
        grants: [],
        sessions: [],
        changes: [],
        proposals: [],
        seen: last[0],
        repeatable: null,
      },
    };
    return reality;
  }

  async function look({ organizationId, seen }: Reality): Promise<Seen> {
    // Commands of the model follow each other within minutes: each refusal is the first of its kind.
    await gateway.sql.query({ name: 'forget', text: 'DELETE FROM repeated_refusals' });
    const { rows: all } = await gateway.sql.query({
      name: 'look',
      text: lookAround,
      values: [organizationId, ...seen.entries, ...seen.events],
    });
    return all[0];
  }

  const lane: Lane = {
    people,
    accounts,
    setClock(moment) {
      now = moment;
    },
    sweep: async () => {
      await endExpiredGrants({ database, clock, logger, announce: () => undefined });
      await endDueSessions({ database, clock, logger, announce: () => undefined });
      await expireChangeRequests({ database, clock, logger, announce: () => undefined });
      await settleDueChanges({ database, clock, logger, announce: () => undefined });
    },
    begin,
    look,
    expectDocumentedRecords: () => expectDocumentedRecords(gateway.sql),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
  return lane;
}

/** A person who sends each operation to the next gateway, which handles it by the clock of its machine. */
async function inTurn(
  gateways: readonly TestGateway[],
  machines: readonly number[],
  email: string,
): Promise<Person> {
  const each = await Promise.all(gateways.map((gateway) => gateway.as(email)));
  const [first] = each;
  if (first === undefined) throw new Error('A lane has a gateway');
  let sent = 0;
  const next = (): Person => {
    sent += 1;
    setMachineClock(machines[sent % each.length] ?? 0);
    return each[sent % each.length] ?? first;
  };
  return {
    ...first,
    send: (query, variables) => next().send(query, variables),
    ask: (query, variables) => next().ask(query, variables),
  };
}

function emailOf(who: Who): string {
  return who === 'operator' ? 'operator@vendor.example' : `${who.toLowerCase()}@model.example`;
}

/** The model's name for an account. */
export function nameOf({ accounts }: Lane, id: string | null): Who | null {
  if (id === null) return null;
  const found = everybody.find((who) => accounts[who] === id);
  if (found === undefined) throw new Error(`Nobody in the model has the account ${id}`);
  return found;
}

const lastSeen = `
  SELECT (SELECT ARRAY[txid, seq]::text[] FROM audit_entries ORDER BY txid DESC, seq DESC LIMIT 1) AS entries,
         coalesce((SELECT ARRAY[txid, seq]::text[] FROM events ORDER BY txid DESC, seq DESC LIMIT 1), '{0,0}') AS events`;

/**
 * The customer's rows, and the new audit entries and events in the order in which clients read them: by
 * transaction, then by number. First sign-ins are not of the model.
 */
const lookAround = `
  SELECT
    (SELECT coalesce(json_agg(t ORDER BY t.id), '[]') FROM tickets t JOIN sites s ON s.id = t.site_id
      WHERE s.organization_id = $1) AS tickets,
    (SELECT coalesce(json_agg(g ORDER BY g.id), '[]') FROM grants g JOIN sites s ON s.id = g.site_id
      WHERE s.organization_id = $1) AS grants,
    (SELECT coalesce(json_agg(d ORDER BY d.decided_at, d.id), '[]') FROM decisions d JOIN grants g ON g.id = d.grant_id
       JOIN sites s ON s.id = g.site_id WHERE s.organization_id = $1) AS decisions,
    (SELECT coalesce(json_agg(o ORDER BY o.id), '[]') FROM support_sessions o WHERE o.organization_id = $1) AS sessions,
    (SELECT coalesce(json_agg(c ORDER BY c.id), '[]') FROM change_requests c WHERE c.organization_id = $1) AS changes,
    (SELECT json_agg(s) FROM sites s WHERE s.organization_id = $1) AS sites,
    (SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM role_assignments r WHERE r.organization_id = $1) AS roles,
    (SELECT coalesce(json_agg(p ORDER BY p.id), '[]') FROM proposed_changes p WHERE p.organization_id = $1) AS proposals,
    (SELECT json_agg(p.id) FROM products p JOIN sites s ON s.id = p.site_id
      WHERE s.organization_id = $1 AND p.licensed) AS licensed,
    (SELECT coalesce(json_agg(a ORDER BY a.txid, a.seq), '[]') FROM audit_entries a
      WHERE (a.txid, a.seq) > ($2::bigint, $3::bigint) AND a.action <> 'account.bind_subject') AS entries,
    (SELECT coalesce(json_agg(e ORDER BY e.txid, e.seq), '[]') FROM events e 
      WHERE (e.txid, e.seq) > ($4::bigint, $5::bigint)) AS events`;
