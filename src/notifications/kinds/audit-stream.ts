/** The mails about a stream of the audit log: that its endpoint fails, and that it was disabled. */
import { countsInSql } from '../../roles/role-counts.ts';
import { type Fact, inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';

/** The facts about a stream. */
export type AuditStreamMail = {
  organizationName: string;
  streamName: string;
  streamUrl: string;
  /** Null: it has not failed since. */
  firstFailedAt: Date | null;
  lastSuccessAt: Date | null;
  lastError: string | null;
};

/** What both kinds share: they go to whoever may change the stream. */
const aboutStream = {
  about: `JOIN audit_streams s ON s.id = m.about_id JOIN organizations o ON o.id = s.organization_id`,
  recipient: `a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.organization_id = s.organization_id AND r.role IN ('ORGANIZATION_ADMIN', 'GUARD_ADMIN') AND r.site_id IS NULL
       AND ${countsInSql})`,
  joins: 'JOIN audit_stream_progress p ON p.stream_id = s.id',
  concerns: { resourceType: 'AuditStream', resourceId: 's.id', organizationId: 's.organization_id' },
  facts: `
    o.name AS "organizationName", s.name AS "streamName", s.url AS "streamUrl", p.first_failed_at AS "firstFailedAt",
    p.last_success_at AS "lastSuccessAt", p.last_error AS "lastError"`,
} as const;

export const auditStreamFailingMail: MailKind<AuditStreamMail> = {
  ...aboutStream,
  name: 'audit-stream-failing',
  wanted: `s.state = 'ACTIVE' AND p.attempts > 0`,
  write: writeAuditStreamFailing,
  line: (stream) => `${placeOf(stream)}: its endpoint fails`,
};

export const auditStreamDisabledMail: MailKind<AuditStreamMail> = {
  ...aboutStream,
  name: 'audit-stream-disabled',
  wanted: `s.state = 'DISABLED'`,
  write: writeAuditStreamDisabled,
  line: (stream) => `${placeOf(stream)}: it was disabled`,
};

export function writeAuditStreamFailing(stream: AuditStreamMail & Recipient): MailText {
  return {
    subject: `${quotedText(stream.organizationName, 100)}: an endpoint of the audit log fails`,
    text: letter({
      recipientName: stream.recipientName,
      opening: [
        'An endpoint to which the audit log of your organization is streamed does',
        'not accept it. It will be tried again for three days, then the stream is',
        'disabled. Nothing is lost: the log keeps what could not be sent.',
      ],
      facts: factsOf(stream),
      closing: ['Look at the endpoint, and use testAuditStream to see whether it is reached.'],
    }),
  };
}

export function writeAuditStreamDisabled(stream: AuditStreamMail & Recipient): MailText {
  return {
    subject: `${quotedText(stream.organizationName, 100)}: a stream of the audit log was disabled`,
    text: letter({
      recipientName: stream.recipientName,
      opening: [
        'A stream of the audit log of your organization was disabled: its endpoint',
        'wants no more messages, or has not accepted any for days.',
      ],
      facts: factsOf(stream),
      closing: [
        'Once the endpoint is right again, resumeAuditStream goes on where the',
        'stream has stopped. Nothing is lost: the log keeps what could not be sent.',
      ],
    }),
  };
}

function placeOf({ organizationName, streamName }: AuditStreamMail): string {
  return `${quotedText(organizationName, 100)}: stream ${quotedText(streamName, 100)}`;
}

function factsOf({ firstFailedAt, lastSuccessAt, lastError, ...stream }: AuditStreamMail): Fact[] {
  return [
    ['Organization', quotedText(stream.organizationName, 100)],
    ['Stream', quotedText(stream.streamName, 100)],
    ['Endpoint', quotedText(new URL(stream.streamUrl).origin, 200)],
    ['Fails since', firstFailedAt === null ? 'not any more' : inUtc(firstFailedAt)],
    ['Last success', lastSuccessAt === null ? 'none' : inUtc(lastSuccessAt)],
    ...(lastError === null ? [] : [['Last error', quotedText(lastError, 300)] as const]),
  ];
}
