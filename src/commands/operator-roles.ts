/**
 * What an operator may do with a customer's roles alone. Operators appoint an organization's first admin. Where there is
 * an active organization admin who is a customer's user, what an operator does to make a role count waits for the
 * confirmation of one. Where there is none, it counts at once, and every role holder is told.
 */
import { rolesByOperatorMail } from '../notifications/kinds/roles-by-operator.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import type { Wait } from '../proposals/protection.ts';
import type { DecisionContext } from './command.ts';

const adminConfirmation: Wait = { needs: 'ORGANIZATION_ADMIN', effectiveAt: null };

/** What waits because an operator asks for it, and the organization has an active admin; null: nothing. */
export function waitOfOperator(hasAdmin: boolean, by: DecisionContext): Wait | null {
  return by.relations.has('OPERATOR') && hasAdmin && !by.isConfirmed ? adminConfirmation : null;
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
