/**
 * What an operator may do with a customer's roles alone. Operators appoint an organization's first admin. Where there is
 * an active organization admin who is a customer's user, what an operator does to make a role count waits for the
 * confirmation of one. Where there is none, it counts at once, and every role holder is told; but not before the time has
 * passed in which the organization may notice that it has lost its last admin, or the operator could deactivate all of
 * them and appoint another one.
 */
import { rolesByOperatorMail } from '../notifications/kinds/roles-by-operator.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import type { Wait } from '../proposals/protection.ts';
import { counts } from '../roles/role-counts.ts';
import type { AdminFacts, RoleUnderAdmin } from '../roles/store.ts';
import type { DecisionContext } from './command.ts';

/** What the role waits for because an operator makes it count; null: nothing. */
export function waitOfOperator(admins: AdminFacts, by: DecisionContext): Wait | null {
  if (!by.relations.has('OPERATOR') || by.isConfirmed) return null;
  const effectiveAt = admins.hasAdmin ? null : endOfNotice(admins, by);
  return admins.hasAdmin || effectiveAt !== null ? { needs: 'ORGANIZATION_ADMIN', effectiveAt } : null;
}

/** When the time ends in which the organization may notice that it has lost its last admin; null: it is over. */
function endOfNotice({ formerAdminSince }: AdminFacts, { now, rules }: DecisionContext): Date | null {
  if (formerAdminSince === null) return null;
  const end = new Date(formerAdminSince.getTime() + rules.appointmentWaitMs);
  return end > now ? end : null;
}

/**
 * Whether a role counts again when its holder's account is reactivated: only where no admin of the organization could
 * assign it. While the organization may still notice that it has lost its last admin, only that admin has their roles
 * back. Nobody is made a Guard admin again where support access is restricted, because that takes two people.
 */
export function countsAgain(role: RoleUnderAdmin, by: DecisionContext): boolean {
  if (role.hasAdmin) return false;
  if (role.role === 'GUARD_ADMIN' && counts(role) && role.isRestricted) return false;
  return role.formerAdminId === role.accountId || endOfNotice(role, by) === null;
}

/**
 * The mail about what an operator has done without a confirmation.
 *
 * @param id of what it is about, or a new one
 * @param summary one sentence, without a full stop
 */
export function mailsAboutOperator(
  { id, organizationId, summary }: { id: string; organizationId: string; summary: string },
  by: DecisionContext,
): MailRequest[] {
  if (!by.relations.has('OPERATOR') || by.isConfirmed) return [];
  const { name, email } = by.viewer;
  const details = { organizationId, summary, operatorName: name, operatorEmail: email };
  return [{ kind: rolesByOperatorMail, aboutId: id, details }];
}

/** Whether the last active organization admin takes their own rights away: only an operator leaves an organization without one. */
export function leavesNoAdmin(
  accountId: string,
  { hasAnotherAdmin }: { hasAnotherAdmin: boolean },
  { viewer, relations }: Pick<DecisionContext, 'viewer' | 'relations'>,
): boolean {
  return viewer.id === accountId && relations.has('ORGANIZATION_ADMIN') && !hasAnotherAdmin;
}
