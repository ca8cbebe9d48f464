import { expect, test } from 'vitest';
import {
  type ChangeProposed,
  writeAppointmentWaits,
  writeChangeProposed,
} from '../../../src/notifications/kinds/change-proposed.ts';
import type { Recipient } from '../../../src/notifications/mail-kind.ts';

const change: ChangeProposed & Recipient = {
  proposedChangeId: '019ab000-0000-7000-8000-000000000001',
  organizationName: 'Acme',
  summary: 'Switch support access restrictions off on https://acme.example',
  proposerName: 'Olivia',
  proposerEmail: 'olivia@acme.example',
  proposedAt: new Date('2026-11-23T10:16:59Z'),
  needs: 'GUARD_ADMIN',
  effectiveAt: null,
  expiresAt: new Date('2026-12-07T10:16:59Z'),
  appliedAt: null,
  recipientName: 'Gina',
};

test('a mail about a proposed change says what it does, who proposed it, and how to confirm it', () => {
  expect(writeChangeProposed(change)).toEqual({
    subject: 'Acme: a change of your support access was proposed',
    text: `Hello Gina,

The change below takes two people. Until somebody confirms it who is not
the person who proposed it, nothing changes.

Organization: Acme
Change:       Switch support access restrictions off on https[:]//acme[.]example
Proposed by:  Olivia, olivia@acme.example, 2026-11-23 10:16 UTC
Confirm by:   2026-12-07 10:16 UTC; the proposal expires then

Decide in your organization's admin UI, or through the API as yourself:

mutation {
  confirmProposedChange(input: {
    proposedChangeId: "UHJvcG9zZWRDaGFuZ2U6MDE5YWIwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx"
  }) { __typename ... on Error { code message } }
}

To refuse it, the same with declineProposedChange.
`,
  });
});

test('a mail about an appointment says when it takes effect, and who can stop it', () => {
  const { subject, text } = writeAppointmentWaits({
    ...change,
    summary: 'Assign the role Guard admin over Acme to gus@acme.example',
    effectiveAt: new Date('2026-11-26T10:16:59Z'),
    expiresAt: null,
  });
  expect(subject).toBe('Acme: a Guard admin is to be appointed');
  expect(text).toContain('\nTakes effect: 2026-11-26 10:16 UTC\n');
  expect(text).toContain('  withdrawProposedChange(input: {');
  expect(text).toContain('Only an organization admin can do this.');
});

test('a mail about an appointment by the vendor says that there is no admin, and who can stop it', () => {
  const { subject, text } = writeAppointmentWaits({
    ...change,
    summary: 'Assign the role Organization admin over Acme to gus@acme.example',
    needs: 'ORGANIZATION_ADMIN',
    effectiveAt: new Date('2026-11-26T10:16:59Z'),
    expiresAt: null,
  });
  expect(subject).toBe('Acme: the vendor is to appoint somebody');
  expect(text).toContain('Your organization has lost its last active organization admin');
  expect(text).toContain('\nTakes effect: 2026-11-26 10:16 UTC\n');
  expect(text).toContain('  declineProposedChange(input: {');
  expect(text).toContain('Only a Guard admin or an organization admin can do this.');
});

test('a change that has taken effect before its mail was sent is told as such', () => {
  const { text } = writeChangeProposed({ ...change, appliedAt: new Date('2026-11-23T10:17:30Z') });
  expect(text).toContain('\nIn effect:    since 2026-11-23 10:17 UTC\n');
  expect(text).toContain('It has taken effect already');
  expect(text).not.toContain('mutation');
});
