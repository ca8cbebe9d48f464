import { expect, test } from 'vitest';
import {
  type RovoDataDeletionMail,
  writeDeletionCompleted,
  writeDeletionRequested,
} from '../../../src/notifications/kinds/rovo-data-deletion.ts';
import type { Recipient } from '../../../src/notifications/mail-kind.ts';

const deletion: RovoDataDeletionMail & Recipient = {
  recipientName: 'Olivia',
  deletionId: '019ab000-0000-7000-8000-000000000001',
  organizationName: 'Acme',
  siteUrl: 'https://acme.example',
  requesterName: 'Owen',
  requesterEmail: 'owen@acme.example',
  requestedAt: new Date('2026-11-23T10:16:59Z'),
  reason: 'We move to\nevil.example.',
  isWaiting: true,
  completedAt: null,
};

test('a mail about a requested deletion says of what, by whom and why, and how to withdraw it', () => {
  expect(writeDeletionRequested(deletion)).toEqual({
    subject: "Acme: the deletion of Rovo's data was requested",
    text: `Hello Olivia,

The deletion of what Rovo has stored about the following was requested.
It ends no support access, and support access does not delay it.

Organization: Acme
Site:         https://acme.example
Requested by: Owen, owen@acme.example, 2026-11-23 10:16 UTC
Why:          We move to evil[.]example.

Until it begins, any organization admin can withdraw it:

mutation {
  withdrawRovoDataDeletion(input: {
    rovoDataDeletionId: "Um92b0RhdGFEZWxldGlvbjowMTlhYjAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDE="
  }) { __typename ... on Error { code message } }
}
`,
  });
});

test('a mail about a deletion that has begun does not say how to withdraw it', () => {
  const { text } = writeDeletionRequested({ ...deletion, isWaiting: false, siteUrl: null, reason: null });
  expect(text).toContain('Site:         all of them\n');
  expect(text).not.toContain('Why:');
  expect(text).not.toContain('mutation');
  expect(text).toContain('It has begun already, so it can no longer be withdrawn.\n');
});

test('a mail about a completed deletion says when it was completed', () => {
  const completed = { ...deletion, isWaiting: false, completedAt: new Date('2026-11-24T11:17:59Z') };
  expect(writeDeletionCompleted(completed)).toEqual({
    subject: "Acme: Rovo's data was deleted",
    text: `Hello Olivia,

What Rovo had stored about the following was deleted.

Organization: Acme
Site:         https://acme.example
Requested by: Owen, owen@acme.example, 2026-11-23 10:16 UTC
Why:          We move to evil[.]example.
Completed:    2026-11-24 11:17 UTC

Your organization's audit log has every step of it.
`,
  });
});
