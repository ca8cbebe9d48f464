/** The mails to organization admins about the deletion of what Rovo has stored: when it is requested, and when it is done. */
import { countsInSql } from '../../roles/role-counts.ts';
import { type Fact, inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';

/** The facts about a deletion. */
export type RovoDataDeletionMail = {
  deletionId: string;
  organizationName: string;
  /** Null: of the whole organization. */
  siteUrl: string | null;
  requesterName: string;
  requesterEmail: string;
  requestedAt: Date;
  reason: string | null;
  /** Whether it can still be withdrawn. */
  isWaiting: boolean;
  /** Null: not yet. */
  completedAt: Date | null;
};

/** What both kinds share. */
const aboutDeletion = {
  about: 'JOIN rovo_data_deletions d ON d.id = m.about_id JOIN organizations o ON o.id = d.organization_id',
  recipient: `a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.organization_id = d.organization_id AND r.role = 'ORGANIZATION_ADMIN' AND ${countsInSql})`,
  joins: 'JOIN accounts requester ON requester.id = d.requested_by_id LEFT JOIN sites s ON s.id = d.site_id',
  concerns: {
    ...{ resourceType: 'RovoDataDeletion', resourceId: 'd.id' },
    ...{ organizationId: 'd.organization_id', siteId: 'd.site_id' },
  },
  facts: `
    d.id AS "deletionId", o.name AS "organizationName", s.url AS "siteUrl", requester.name AS "requesterName",
    requester.email AS "requesterEmail", d.requested_at AS "requestedAt", d.reason, d.state = 'REQUESTED' AS "isWaiting",
    CASE d.state WHEN 'COMPLETED' THEN d.ended_at END AS "completedAt"`,
} as const;

/** To every organization admin, also if it has begun meanwhile. */
export const deletionRequestedMail: MailKind<RovoDataDeletionMail> = {
  ...aboutDeletion,
  name: 'rovo-deletion-requested',
  wanted: `d.state <> 'WITHDRAWN'`,
  write: writeDeletionRequested,
  line: (deletion) => `${placeOf(deletion)}: the deletion of Rovo's data was requested`,
};

/** To every organization admin. */
export const deletionCompletedMail: MailKind<RovoDataDeletionMail> = {
  ...aboutDeletion,
  name: 'rovo-deletion-completed',
  wanted: 'true',
  write: writeDeletionCompleted,
  line: (deletion) => `${placeOf(deletion)}: Rovo's data was deleted`,
};

export function writeDeletionRequested(deletion: RovoDataDeletionMail & Recipient): MailText {
  const organization = quotedText(deletion.organizationName, 100);
  return {
    subject: `${organization}: the deletion of Rovo's data was requested`,
    text: letter({
      recipientName: deletion.recipientName,
      opening: [
        'The deletion of what Rovo has stored about the following was requested.',
        'It ends no support access, and support access does not delay it.',
      ],
      facts: factsOf(deletion),
      closing: deletion.isWaiting
        ? withdrawing(deletion.deletionId)
        : ['It has begun already, so it can no longer be withdrawn.'],
    }),
  };
}

export function writeDeletionCompleted(deletion: RovoDataDeletionMail & Recipient): MailText {
  const { completedAt } = deletion;
  const organization = quotedText(deletion.organizationName, 100);
  return {
    subject: `${organization}: Rovo's data was deleted`,
    text: letter({
      recipientName: deletion.recipientName,
      opening: ['What Rovo had stored about the following was deleted.'],
      facts: [
        ...factsOf(deletion),
        ...(completedAt === null ? [] : [['Completed', inUtc(completedAt)] as const]),
      ],
      closing: ["Your organization's audit log has every step of it."],
    }),
  };
}

function placeOf({ organizationName, siteUrl }: RovoDataDeletionMail): string {
  return siteUrl ?? quotedText(organizationName, 100);
}

function factsOf({ siteUrl, reason, requestedAt, ...deletion }: RovoDataDeletionMail): Fact[] {
  const requester = `${quotedText(deletion.requesterName, 100)}, ${deletion.requesterEmail}`;
  return [
    ['Organization', quotedText(deletion.organizationName, 100)],
    ['Site', siteUrl ?? 'all of them'],
    ['Requested by', `${requester}, ${inUtc(requestedAt)}`],
    ...(reason === null ? [] : [['Why', quotedText(reason, 500)] as const]),
  ];
}

function withdrawing(deletionId: string): string[] {
  const id = Buffer.from(`RovoDataDeletion:${deletionId}`).toString('base64');
  return [
    'Until it begins, any organization admin can withdraw it:',
    '',
    'mutation {',
    '  withdrawRovoDataDeletion(input: {',
    `    rovoDataDeletionId: "${id}"`,
    '  }) { __typename ... on Error { code message } }',
    '}',
  ];
}
