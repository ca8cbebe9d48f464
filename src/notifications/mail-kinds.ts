import { auditStreamDisabledMail, auditStreamFailingMail } from './kinds/audit-stream.ts';
import { appointmentWaitsMail, changeProposedMail } from './kinds/change-proposed.ts';
import { changeRequestedMail } from './kinds/change-requested.ts';
import { grantFirstUsedMail } from './kinds/grant-first-used.ts';
import { grantReassignedMail } from './kinds/grant-reassigned.ts';
import { guardRequestMail } from './kinds/guard-request.ts';
import { relayedConsentMail } from './kinds/relayed-consent.ts';
import { rolesByOperatorMail } from './kinds/roles-by-operator.ts';
import { deletionCompletedMail, deletionRequestedMail } from './kinds/rovo-data-deletion.ts';
import type { MailKind } from './mail-kind.ts';

/** The kinds of mail, each with a file of its own. The queue and the delivery know no kind. */
export const mailKinds: readonly MailKind[] = [
  guardRequestMail,
  relayedConsentMail,
  grantReassignedMail,
  grantFirstUsedMail,
  changeRequestedMail,
  changeProposedMail,
  appointmentWaitsMail,
  rolesByOperatorMail,
  deletionRequestedMail,
  deletionCompletedMail,
  auditStreamFailingMail,
  auditStreamDisabledMail,
];
