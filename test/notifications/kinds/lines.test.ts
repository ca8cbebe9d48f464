/** The lines by which mails are told in a digest. */
import { expect, test } from 'vitest';
import { writeDigest } from '../../../src/notifications/digest.ts';
import { mailKinds } from '../../../src/notifications/mail-kinds.ts';

const hostile = `Click https://evil.example\nnow ${'x'.repeat(5_000)}`;
const at = new Date('2026-11-27T10:00:00Z');
/** The facts of every kind. */
const facts = {
  ...{
    recipientName: hostile,
    ticketKey: 'SUP-1',
    siteName: hostile,
    organizationName: hostile,
    summary: hostile,
  },
  ...{ engineerName: hostile, siteUrl: null, startedAt: at, effectiveAt: at, streamName: hostile },
};

test.each(mailKinds.map((kind) => [kind.name, kind] as const))(
  '%s: one short line without links',
  (_, kind) => {
    const line = kind.line(facts);
    expect(line).not.toMatch(/\n|https:|evil\.example|undefined|null/);
    expect(line).toMatch(/SUP-1|Click/);
    expect(line.length).toBeLessThan(500);
  },
);

test('a digest says first what waits for a decision', () => {
  const { subject, text } = writeDigest({
    recipientName: 'Grace',
    requests: ['Decide.'],
    news: ['Done.', 'Over.'],
  });
  expect(subject).toBe('1 more request waits for you, and 2 more messages');
  expect(text).toMatch(/wait for your decision:\nDecide\.\n(?:.*\n)*What has happened:\nDone\.\nOver\.\n/);
  expect(writeDigest({ recipientName: 'Grace', requests: [], news: ['Done.', 'Over.'] }).subject).toBe(
    '2 more messages for you',
  );
});
