/**
 * Whether a caller has written as much as the deployment's quotas allow. Of several commands that run at the same time, each
 * may be the last one.
 */
import type { Viewer } from '../identity/viewer.ts';
import type { Transaction } from '../platform/database.ts';
import { firstIdAt } from '../platform/ids.ts';
import type { Quotas } from '../platform/quotas.ts';
import { invalidState, type Refusal, type StateRefusalCode } from './refusal.ts';

/** Who asks to write more, and when. */
export type Asking = { viewer: Viewer; now: Date; quotas: Quotas };

export const quotaRefusals = {
  tickets: ['TOO_MANY_OPEN_TICKETS', 'TOO_MANY_TICKETS'],
  requests: ['TOO_MANY_OPEN_REQUESTS', 'TOO_MANY_ACCESS_REQUESTS'],
  invitations: ['TOO_MANY_INVITATIONS'],
} as const satisfies Record<string, readonly StateRefusalCode[]>;

/** Whether it is a quota that refuses, which says when to try again: it is not kept as the answer to a repetition. */
export function isOfQuota({ code }: Refusal): boolean {
  return Object.values(quotaRefusals)
    .flat()
    .some((known) => known === code);
}

const hourMs = 3_600_000;

/** Why a user may file no ticket in this organization now. Null: they may. One statement; none for a ticketing system. */
export async function refuseTicket(
  tx: Transaction,
  organizationId: string,
  { viewer, now, quotas }: Asking,
): Promise<Refusal | null> {
  if (viewer.kind !== 'USER') return null;
  const { openTicketsOfUser: mostOpen, ticketsOfUserPerHour, ticketsOfOrganizationPerHour } = quotas;
  // Of the user's tickets the newest are looked at, so that those that were closed long ago cost nothing.
  const [used] = await tx.$queryRawUnsafe<{ open: number; last: Date | null; lastOfAll: Date | null }[]>(
    `SELECT (SELECT count(*)::int
               FROM (SELECT status FROM tickets WHERE reporter_id = $1::uuid ORDER BY id DESC LIMIT 2 * $2::int) AS newest
              WHERE status <> 'CLOSED') AS open,
            (SELECT created_at FROM tickets WHERE reporter_id = $1::uuid AND id >= $3::uuid
              ORDER BY id DESC OFFSET $4::int - 1 LIMIT 1) AS last,
            (SELECT t.created_at FROM tickets t JOIN sites s ON s.id = t.site_id
              WHERE s.organization_id = $5::uuid AND t.id >= $3::uuid
              ORDER BY t.id DESC OFFSET $6::int - 1 LIMIT 1) AS "lastOfAll"`,
    ...[
      viewer.id,
      mostOpen,
      anHourAgo(now),
      ticketsOfUserPerHour,
      organizationId,
      ticketsOfOrganizationPerHour,
    ],
  );
  if (used === undefined) throw new Error('A SELECT without a table returned no row');
  if (used.open >= mostOpen)
    return invalidState(
      'TOO_MANY_OPEN_TICKETS',
      `You have ${mostOpen} open tickets, the most that one person may have. Close those that are settled, then file this one.`,
    );
  if (used.last !== null)
    return invalidState(
      'TOO_MANY_TICKETS',
      `You have filed ${ticketsOfUserPerHour} tickets within an hour, the most that one person may. File the next one ${after(used.last)}.`,
    );
  if (used.lastOfAll !== null)
    return invalidState(
      'TOO_MANY_TICKETS',
      `${ticketsOfOrganizationPerHour} tickets were filed for your organization within an hour, the most that it may have. File the next one ${after(used.lastOfAll)}.`,
    );
  return null;
}

/** Why an engineer may ask for no access now. Null: they may. One statement. */
export async function refuseRequest(
  tx: Transaction,
  { viewer, now, quotas }: Asking,
): Promise<Refusal | null> {
  const { openRequestsOfEngineer: mostOpen, requestsOfEngineerPerHour: mostMade } = quotas;
  const [used] = await tx.$queryRawUnsafe<{ open: number; last: Date | null }[]>(
    `SELECT (SELECT count(*)::int
               FROM (SELECT FROM grants WHERE engineer_id = $1::uuid
                        AND state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL') LIMIT $2::int) AS open) AS open,
            (SELECT requested_at FROM grants
              WHERE engineer_id = $1::uuid AND state = ANY (enum_range(NULL::grant_state)) AND id >= $3::uuid
                AND requested_by_id = $1::uuid
              ORDER BY id DESC OFFSET $4::int - 1 LIMIT 1) AS last`,
    ...[viewer.id, mostOpen, anHourAgo(now), mostMade],
  );
  if (used === undefined) throw new Error('A SELECT without a table returned no row');
  if (used.open >= mostOpen)
    return invalidState(
      'TOO_MANY_OPEN_REQUESTS',
      `${mostOpen} requests on your tickets await a decision, the most that one engineer may have. Withdraw those that are no longer needed, or wait until some are decided.`,
    );
  if (used.last !== null)
    return invalidState(
      'TOO_MANY_ACCESS_REQUESTS',
      `You have asked for access ${mostMade} times within an hour, the most that one engineer may. Ask again ${after(used.last)}.`,
    );
  return null;
}

/** Why an organization's admins may invite nobody now. Null: they may. One statement. */
export async function refuseInvitation(
  tx: Transaction,
  organizationId: string,
  { now, quotas }: Asking,
): Promise<Refusal | null> {
  const { waitingInvitationsOfOrganization: mostWaiting, invitationsOfOrganizationPerHour: mostMade } =
    quotas;
  // Of the invitations the newest are looked at, so that those of long ago cost nothing.
  const [used] = await tx.$queryRawUnsafe<{ waiting: number; last: Date | null }[]>(
    `SELECT (SELECT count(*)::int
               FROM (SELECT state, expires_at FROM invitations WHERE organization_id = $1::uuid
                      ORDER BY id DESC LIMIT 2 * $2::int) AS newest
              WHERE state = 'WAITING' AND expires_at > $3::timestamptz) AS waiting,
            (SELECT created_at FROM invitations WHERE organization_id = $1::uuid AND id >= $4::uuid
              ORDER BY id DESC OFFSET $5::int - 1 LIMIT 1) AS last`,
    ...[organizationId, mostWaiting, now, anHourAgo(now), mostMade],
  );
  if (used === undefined) throw new Error('A SELECT without a table returned no row');
  if (used.waiting >= mostWaiting)
    return invalidState(
      'TOO_MANY_INVITATIONS',
      `${mostWaiting} invitations of your organization wait to be accepted, the most that may. Withdraw those that are no longer needed, or wait until some are accepted.`,
    );
  if (used.last !== null)
    return invalidState(
      'TOO_MANY_INVITATIONS',
      `${mostMade} people were invited to your organization within an hour, the most that may be. Invite the next one ${after(used.last)}.`,
    );
  return null;
}

/** Ids begin with the time at which they were made. */
function anHourAgo(now: Date): string {
  return firstIdAt(new Date(now.getTime() - hourMs));
}

/** When the first of those that count is an hour old. */
function after(first: Date): string {
  return `after ${new Date(first.getTime() + hourMs).toISOString().slice(0, 19)}Z`;
}
