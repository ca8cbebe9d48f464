/** Tickets and grants of the benchmark, written as the gateway's commands write them. */
import pg from 'pg';
import { appendAuditEntries } from '../../src/audit/store.ts';
import { changeGrant } from '../../src/commands/change-grant.ts';
import { writeGrantChanges } from '../../src/commands/write-grant-changes.ts';
import { appendEvents } from '../../src/events/outbox.ts';
import { type Grant, isOpen, type OpenGrant } from '../../src/grants/grant.ts';
import type { GrantCommand } from '../../src/grants/lifecycle.ts';
import type { UserViewer } from '../../src/identity/viewer.ts';
import type { Database } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { lockRights } from '../../src/roles/locks.ts';
import { lockTicket } from '../../src/tickets/locks.ts';
import type { People } from './people.ts';

/** A ticket and its people. */
export type Case = {
  ticketId: string;
  siteId: string;
  organizationId: string;
  engineerId: string;
  customer: { id: string; email: string };
};

/** Opens a ticket for each of these engineers on the site of the benchmark. */
export async function openCases(
  databaseUrl: string,
  { site, admins, organizationId }: People,
  engineerIds: readonly string[],
): Promise<Case[]> {
  const [customer] = admins;
  if (customer === undefined) throw new TypeError('There is no customer');
  const cases = engineerIds.map((engineerId) => ({
    ticketId: newId(),
    siteId: site.id,
    organizationId,
    engineerId,
    customer,
  }));
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, assignee_id, created_at)
       SELECT c."ticketId", 'BENCH-' || row_number() OVER (), 'The board does not load', $2, $3, $4, c."engineerId", now()
         FROM jsonb_to_recordset($1::jsonb) AS c("ticketId" uuid, "engineerId" uuid)`,
      [JSON.stringify(cases), site.id, site.productId, customer.id],
    );
  } finally {
    await client.end();
  }
  return cases;
}

/** The next step of a case's cycle: request, approve, revoke, request again. */
function nextCommand(
  { customer, organizationId, ticketId, siteId, engineerId }: Case,
  grant: OpenGrant | null,
): GrantCommand {
  const by = customer.id;
  const terms = { guardRequired: false, maxGrantSeconds: null, samePersonMayApproveTwice: false };
  if (grant === null)
    return {
      type: 'Request',
      ...{ grantId: newId(), organizationId, ticketId, siteId, engineerId, requestedById: engineerId },
      ...{ scope: { kind: 'PRODUCT_DATA' }, justification: 'The board does not load.', waitSeconds: 86_400 },
      terms,
    };
  if (grant.state === 'ACTIVE') return { type: 'Revoke', by, asGuard: false };
  return { type: 'Approve', by, path: 'SUPPORT_PORTAL', expiresAt: null, terms };
}

/** What the events say of the site. */
const site = {
  ...{
    dataResidencyPinned: false,
    engineerCountries: [],
    sessionIdleSeconds: 1_800,
    maxSessionSeconds: 28_800,
  },
  ...{ supportAccessRestricted: false, requestWaitSeconds: 86_400 },
  ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: true },
};

/**
 * Runs the next step as a command does: with its locks, the grant, the audit log and, unless `withoutEvents`, the
 * event. Returns the grant after the step.
 */
export async function runNextStep(
  database: Database,
  on: Case,
  grant: Grant | null,
  { withoutEvents }: { withoutEvents: boolean },
): Promise<Grant> {
  const { ticketId, organizationId, customer } = on;
  const before = grant !== null && isOpen(grant) ? grant : null;
  const viewer: UserViewer = {
    ...{ kind: 'USER', id: customer.id, email: customer.email, name: customer.email },
    ...{ organizationIds: [organizationId], assignments: [] },
  };
  return await database.transaction(async (tx) => {
    await lockTicket(tx, { ticketId });
    await lockRights(tx, customer.id, []);
    const decided = changeGrant(before, nextCommand(on, before), {
      ...{ organizationId, ticketOf: () => ({ reporterId: customer.id, status: 'OPEN', version: 1, site }) },
      ...{ by: { viewer, now: new Date() }, action: null, reason: null },
    });
    if ('refused' in decided) throw new Error(`A step was refused: ${decided.refused.code}`);
    const written = await writeGrantChanges(tx, decided.changes);
    await appendAuditEntries(
      tx,
      written.flatMap(({ entries }) => entries),
    );
    const events = written.flatMap((one) => one.events);
    if (!withoutEvents) await appendEvents(tx, events);
    return decided.grant;
  });
}
