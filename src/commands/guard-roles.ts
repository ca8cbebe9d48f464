/**
 * Changes of the Guard admins of an organization. Where a site of it is restricted, each takes two people. Nobody makes
 * themselves a Guard admin, anywhere.
 */
import type { Transaction } from '../platform/database.ts';
import type { Change, ChangeInput } from '../proposals/change.ts';
import { type GuardFacts, waitOfAppointment, waitOfRemoval } from '../proposals/protection.ts';
import { findGuardFacts, type ProposedChange } from '../proposals/store.ts';
import { type NamedPlace, roleAssigned, roleRemoved, userRemoved } from '../proposals/summary.ts';
import type { RoleAssignmentRow } from '../roles/store.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { findProposalFacts, type ProposalFacts, propose } from './propose.ts';
import { invalidState } from './refusal.ts';

type AssignRoleInput = ChangeInput<'ASSIGN_ROLE'>;

/** What a change of a Guard admin is decided on. */
export type GuardRoleFacts = { guard: GuardFacts; proposal: ProposalFacts };

export async function findGuardRoleFacts(
  tx: Transaction,
  organizationId: string,
  about: string,
  now: Date,
): Promise<GuardRoleFacts> {
  return {
    guard: await findGuardFacts(tx, organizationId),
    proposal: await findProposalFacts(tx, organizationId, about, now),
  };
}

export const assignmentOf = ({ accountId, role, organizationId, siteId, productId }: AssignRoleInput) =>
  `role ${role} of ${accountId} over ${productId ?? siteId ?? organizationId}`;
export const removalOf = (roleAssignmentId: string) => `role assignment ${roleAssignmentId}`;
export const membershipOf = (accountId: string, organizationId: string) =>
  `membership of ${accountId} in ${organizationId}`;

/** The assignment of a role as a change. */
export function assignmentChange(input: AssignRoleInput, email: string, place: NamedPlace): Change {
  const { role, organizationId, siteId, accountId } = input;
  return {
    ...{ kind: 'ASSIGN_ROLE', about: assignmentOf(input), organizationId, siteId, input },
    ...{ before: { role: null }, after: { role } },
    summary: roleAssigned(email, role, place),
    subjectId: accountId,
  };
}

/**
 * What the appointment of a Guard admin answers instead of being made; null: it may be made. A role that the identity
 * provider pushes does not count, so its sync is what waits.
 */
export function insteadOfAppointing(
  input: AssignRoleInput,
  { email, place }: { email: string; place: NamedPlace },
  { guard, proposal }: GuardRoleFacts,
  by: DecisionContext,
): Outcome<ProposedChange> | null {
  const { accountId, siteId } = input;
  if (accountId === by.viewer.id) return { refused: invalidState('OWN_GUARD_ROLE') };
  if (by.isConfirmed || input.origin === 'SCIM') return null;
  const participants = { proposerId: by.viewer.id, subjectId: accountId, siteId };
  const wait = waitOfAppointment(guard, participants, { now: by.now, ...by.rules });
  if (wait === null) return null;
  // Only an organization admin appoints where nobody could confirm.
  if (wait.effectiveAt !== null && !by.relations.has('ORGANIZATION_ADMIN'))
    return { refused: invalidState('NO_GUARD_ADMIN') };
  return propose(assignmentChange(input, email, place), wait, proposal, by);
}

/** What the removal of a Guard admin's role answers instead of being made; null: it may be made. */
export function insteadOfRemoving(
  { id, accountId, role, organizationId, siteId }: RoleAssignmentRow,
  { email, place }: { email: string; place: NamedPlace },
  { guard, proposal }: GuardRoleFacts,
  by: DecisionContext,
): Outcome<ProposedChange> | null {
  const wait = by.isConfirmed ? null : waitOfRemoval(guard);
  if (wait === null) return null;
  const change: Change = {
    ...{ kind: 'REMOVE_ROLE', about: removalOf(id), organizationId, siteId },
    input: { roleAssignmentId: id },
    ...{ before: { role }, after: { role: null } },
    summary: roleRemoved(email, role, place),
    subjectId: accountId,
  };
  return propose(change, wait, proposal, by);
}

/** What the removal of a Guard admin from the organization answers instead of being made; null: it may be made. */
export function insteadOfRemovingUser(
  user: { id: string; email: string },
  organization: { id: string; name: string },
  { guard, proposal }: GuardRoleFacts,
  by: DecisionContext,
): Outcome<ProposedChange> | null {
  const wait = by.isConfirmed ? null : waitOfRemoval(guard);
  if (wait === null) return null;
  const change: Change = {
    ...{ kind: 'REMOVE_USER', about: membershipOf(user.id, organization.id) },
    ...{ organizationId: organization.id, siteId: null },
    input: { organizationId: organization.id, accountId: user.id },
    ...{ before: { isMember: true }, after: { isMember: false } },
    summary: userRemoved(user.email, organization.name),
    subjectId: user.id,
  };
  return propose(change, wait, proposal, by);
}
