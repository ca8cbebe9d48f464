/** The mail to every role holder of an organization about roles that an operator of the vendor made count alone. */
import { inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';

export type RolesByOperator = {
  organizationName: string;
  summary: string;
  operatorName: string;
  operatorEmail: string;
  doneAt: Date;
};

/** It says what was done, also where that has been undone since: so it reads its own details alone. */
export const rolesByOperatorMail: MailKind<RolesByOperator> = {
  name: 'roles-by-operator',
  about: `JOIN organizations o ON o.id = (m.details ->> 'organizationId')::uuid`,
  recipient: 'a.id IN (SELECT r.account_id FROM role_assignments r WHERE r.organization_id = o.id)',
  wanted: 'true',
  joins: '',
  concerns: { resourceType: 'Organization', resourceId: 'o.id', organizationId: 'o.id' },
  facts: `
    o.name AS "organizationName", m.details ->> 'summary' AS summary, m.details ->> 'operatorName' AS "operatorName",
    m.details ->> 'operatorEmail' AS "operatorEmail", m.created_at AS "doneAt"`,
  write: writeRolesByOperator,
  line: ({ organizationName, summary }) =>
    `${quotedText(organizationName, 100)}: by the vendor alone: ${quotedText(summary, 200)}`,
};

export function writeRolesByOperator(done: RolesByOperator & Recipient): MailText {
  const organization = quotedText(done.organizationName, 100);
  return {
    subject: `${organization}: the vendor has appointed somebody`,
    text: letter({
      recipientName: done.recipientName,
      opening: [
        'Your organization has no active organization admin, so an operator of the',
        'vendor did the following without the confirmation of one.',
      ],
      facts: [
        ['Organization', organization],
        ['Change', quotedText(done.summary, 400)],
        ['Operator', `${quotedText(done.operatorName, 100)}, ${done.operatorEmail}`],
        ['In effect', `since ${inUtc(done.doneAt)}`],
      ],
      closing: ["If you did not expect this, ask the vendor, and look at your organization's", 'audit log.'],
    }),
  };
}
