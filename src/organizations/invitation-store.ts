/** Invitations in the database. */
import type { Invitation, Prisma } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { isVendorsInSql } from '../roles/vendor-domains.ts';
import type { InvitationEnd, InvitationState } from './invitation.ts';

export type { Invitation };

export async function findInvitation(tx: Transaction, id: string): Promise<Invitation | null> {
  return await tx.invitation.findUnique({ where: { id } });
}

/** What an invitation of an address is decided on. Of the address, only what the organization's own admins see. */
export type AddressFacts = {
  /** Whether it is the address of a member. */
  isMember: boolean;
  /** Whether it is an address of the vendor's domains. */
  isVendors: boolean;
  /** The id of the invitation of it that waits, or has expired and is not ended yet. */
  invitationId: string | null;
  /** When that one expires. */
  expiresAt: Date | null;
};

/** One statement. */
export async function findAddress(
  tx: Transaction,
  organizationId: string,
  email: string,
): Promise<AddressFacts> {
  const [found] = await tx.$queryRawUnsafe<AddressFacts[]>(
    `SELECT EXISTS (SELECT FROM memberships m JOIN accounts a ON a.id = m.account_id
                     WHERE m.organization_id = $1::uuid AND a.email = $2) AS "isMember",
            ${isVendorsInSql('$2::text')} AS "isVendors",
            i.id AS "invitationId", i.expires_at AS "expiresAt"
       FROM (SELECT) AS one
       LEFT JOIN invitations i ON i.organization_id = $1::uuid AND i.email = $2 AND i.ended_at IS NULL`,
    organizationId,
    email,
  );
  if (found === undefined) throw new Error('A SELECT without a table returned no row');
  return found;
}

/** Adds an invitation, after the end of the one that it replaces. */
export async function insertInvitation(tx: Transaction, invitation: Invitation): Promise<void> {
  await tx.invitation.create({ data: invitation });
}

/** Ends an invitation. Throws WriteConflictError if somebody else has ended it since it was read. */
export async function saveInvitationEnd(tx: Transaction, id: string, end: InvitationEnd): Promise<void> {
  const { count } = await tx.invitation.updateMany({ where: { id, state: 'WAITING' }, data: end });
  if (count === 0) throw new WriteConflictError();
}

/** The condition for invitations that are in the state at `now`. */
export function invitationsInState(state: InvitationState, now: Date): Prisma.InvitationWhereInput {
  switch (state) {
    case 'WAITING':
      return { state, expiresAt: { gt: now } };
    case 'EXPIRED':
      return { OR: [{ state }, { state: 'WAITING', expiresAt: { lte: now } }] };
    case 'ACCEPTED':
    case 'WITHDRAWN':
      return { state };
  }
}
