/** The mails about a proposed change: to those who may confirm it, or to every role holder where it waits for a time. */
import type { Confirmation } from '../../../prisma/generated/client/enums.ts';
import { countsInSql } from '../../roles/role-counts.ts';
import { inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';

/** The facts about a proposed change. */
export type ChangeProposed = {
  proposedChangeId: string;
  organizationName: string;
  summary: string;
  proposerName: string;
  proposerEmail: string;
  proposedAt: Date;
  needs: Confirmation;
  /** When it takes effect by itself; null: it needs a confirmation. */
  effectiveAt: Date | null;
  /** When it expires; null: it takes effect by itself. */
  expiresAt: Date | null;
  /** Null: it still waits. Otherwise it has taken effect. */
  appliedAt: Date | null;
};

/** What both kinds share. A change that has taken effect before its mail was sent is still told. */
const aboutProposedChange = {
  about: 'JOIN proposed_changes p ON p.id = m.about_id JOIN organizations o ON o.id = p.organization_id',
  wanted: `p.state IN ('WAITING', 'APPLIED')`,
  joins: 'JOIN accounts proposer ON proposer.id = p.proposed_by_id',
  concerns: {
    ...{ resourceType: 'ProposedChange', resourceId: 'p.id' },
    ...{ organizationId: 'p.organization_id', siteId: 'p.site_id' },
  },
  facts: `
    p.id AS "proposedChangeId", o.name AS "organizationName", p.summary,
    proposer.name AS "proposerName", proposer.email AS "proposerEmail", p.proposed_at AS "proposedAt",
    p.needs::text AS needs, p.effective_at AS "effectiveAt", p.expires_at AS "expiresAt",
    CASE p.state WHEN 'APPLIED' THEN p.settled_at END AS "appliedAt"`,
} as const;

/** To everybody in the organization who holds the role whose confirmation the change needs. */
export const changeProposedMail: MailKind<ChangeProposed> = {
  ...aboutProposedChange,
  name: 'change-proposed',
  recipient: `a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.organization_id = p.organization_id AND r.role::text = p.needs::text AND ${countsInSql})`,
  write: writeChangeProposed,
  line: (change) =>
    `${quotedText(change.organizationName, 100)}: proposed: ${quotedText(change.summary, 200)}`,
};

/** To every role holder of the organization. */
export const appointmentWaitsMail: MailKind<ChangeProposed> = {
  ...aboutProposedChange,
  name: 'appointment-waits',
  recipient: `a.id IN (
    SELECT r.account_id FROM role_assignments r WHERE r.organization_id = p.organization_id)`,
  write: writeAppointmentWaits,
  line: ({ organizationName, summary, effectiveAt }) =>
    `${quotedText(organizationName, 100)}: takes effect${effectiveAt === null ? '' : ` at ${inUtc(effectiveAt)}`}: ${quotedText(summary, 200)}`,
};

export function writeChangeProposed(change: ChangeProposed & Recipient): MailText {
  const organization = quotedText(change.organizationName, 100);
  return {
    subject: `${organization}: a change of your support access was proposed`,
    text: letter({
      recipientName: change.recipientName,
      opening: [
        'The change below takes two people. Until somebody confirms it who is not',
        'the person who proposed it, nothing changes.',
      ],
      facts: [
        ...factsOf(change),
        ...(change.expiresAt === null
          ? []
          : [['Confirm by', `${inUtc(change.expiresAt)}; the proposal expires then`] as const]),
      ],
      closing: settling(change, 'confirmProposedChange', [
        'To refuse it, the same with declineProposedChange.',
      ]),
    }),
  };
}

export function writeAppointmentWaits(change: ChangeProposed & Recipient): MailText {
  const organization = quotedText(change.organizationName, 100);
  const { subject, opening, mutation, more } = appointments[change.needs];
  return {
    subject: `${organization}: ${subject}`,
    text: letter({
      recipientName: change.recipientName,
      opening,
      facts: [
        ...factsOf(change),
        ...(change.effectiveAt === null ? [] : [['Takes effect', inUtc(change.effectiveAt)] as const]),
      ],
      closing: settling(change, mutation, more),
    }),
  };
}

/** By whose confirmation the appointment needs, which nobody could give. */
const appointments = {
  GUARD_ADMIN: {
    subject: 'a Guard admin is to be appointed',
    opening: [
      'Your organization restricts support access, and has no active Guard admin',
      'who could confirm the appointment below. So it takes effect by itself.',
    ],
    mutation: 'withdrawProposedChange',
    more: ['Only an organization admin can do this. If you did not expect the appointment, ask one.'],
  },
  ORGANIZATION_ADMIN: {
    subject: 'the vendor is to appoint somebody',
    opening: [
      'Your organization has lost its last active organization admin, who could have',
      'confirmed the appointment below. So it takes effect by itself.',
    ],
    mutation: 'declineProposedChange',
    more: [
      'Only a Guard admin or an organization admin can do this. If you did not expect',
      'the appointment, ask one, and the vendor.',
    ],
  },
} as const satisfies Record<Confirmation, object>;

function factsOf(change: ChangeProposed): (readonly [string, string])[] {
  const { proposerName, proposerEmail, proposedAt, appliedAt } = change;
  return [
    ['Organization', quotedText(change.organizationName, 100)],
    ['Change', quotedText(change.summary, 1_000)],
    ['Proposed by', `${quotedText(proposerName, 100)}, ${proposerEmail}, ${inUtc(proposedAt)}`],
    ...(appliedAt === null ? [] : [['In effect', `since ${inUtc(appliedAt)}`] as const]),
  ];
}

function settling(
  { proposedChangeId, appliedAt }: ChangeProposed,
  mutation: string,
  more: readonly string[],
): string[] {
  if (appliedAt !== null) return ['It has taken effect already, so it can no longer be stopped.'];
  const id = Buffer.from(`ProposedChange:${proposedChangeId}`).toString('base64');
  return [
    "Decide in your organization's admin UI, or through the API as yourself:",
    '',
    'mutation {',
    `  ${mutation}(input: {`,
    `    proposedChangeId: "${id}"`,
    '  }) { __typename ... on Error { code message } }',
    '}',
    '',
    ...more,
  ];
}
