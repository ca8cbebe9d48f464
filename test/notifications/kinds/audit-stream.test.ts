import { expect, test } from 'vitest';
import {
  type AuditStreamMail,
  auditStreamDisabledMail,
  writeAuditStreamDisabled,
  writeAuditStreamFailing,
} from '../../../src/notifications/kinds/audit-stream.ts';
import type { Recipient } from '../../../src/notifications/mail-kind.ts';

const stream: AuditStreamMail & Recipient = {
  recipientName: 'Olivia',
  organizationName: 'Acme',
  streamName: 'SIEM',
  streamUrl: 'https://siem.acme.example/a-secret-path',
  firstFailedAt: new Date('2026-11-28T10:16:59Z'),
  lastSuccessAt: null,
  lastError: 'The endpoint answered 500.',
};

test('a mail about an endpoint that fails says which, since when and why, and nothing that is secret', () => {
  const { subject, text } = writeAuditStreamFailing(stream);
  expect(subject).toBe('Acme: an endpoint of the audit log fails');
  for (const part of ['SIEM', '2026-11-28 10:16 UTC', 'The endpoint answered 500.', 'Hello Olivia,'])
    expect(text).toContain(part);
  expect(text).not.toContain('secret');
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(78);
});

test('a mail about a disabled stream says how to go on', () => {
  const { subject, text } = writeAuditStreamDisabled(stream);
  expect(subject).toBe('Acme: a stream of the audit log was disabled');
  expect(text).toContain('resumeAuditStream');
  expect(auditStreamDisabledMail.line(stream)).toBe('Acme: stream SIEM: it was disabled');
});
