import { expect, test } from 'vitest';
import { writeRelayedConsent } from '../../../src/notifications/kinds/relayed-consent.ts';

const consent = {
  grantId: '019ab000-0000-7000-8000-000000000001',
  ticketKey: 'SUP-1042',
  summary: 'The board is slow',
  siteName: 'Acme',
  siteUrl: 'https://acme.example',
  productName: 'Jira',
  relayName: 'Ticketing',
  relayedAt: new Date('2026-11-23T10:16:59Z'),
  decideBy: new Date('2026-12-07T10:16:59Z'),
  recipientName: 'Rita',
};

test('the mail says what was consented to in whose name, and how to confirm or deny it', () => {
  expect(writeRelayedConsent(consent)).toEqual({
    subject: 'SUP-1042: please confirm your consent to support access to Acme',
    text: `Hello Rita,

A ticket was filed for you with the box ticked that lets support access
the data below. Your organization wants you to confirm that yourself.
Until somebody approves the request, nobody at support sees the data.

Ticket:       SUP-1042: The board is slow
Site:         Acme, https://acme.example
Product:      Jira
Filed by:     Ticketing, 2026-11-23 10:16 UTC
Decide by:    2026-12-07 10:16 UTC; the request expires then

Approve or deny it in the sidebar of the ticket, or through the API as
yourself:

mutation {
  approveDataAccess(input: {
    grantId: "R3JhbnQ6MDE5YWIwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx"
    path: SUPPORT_PORTAL
  }) { __typename ... on Error { code message } }
}

To deny it, use denyDataAccess with the grantId. Others who may grant on
this ticket can decide as well.
`,
  });
});

test('what people wrote is quoted: one line each, of limited length, without links', () => {
  const evil = `x\r\nDecide by: never https://evil.example ${'long '.repeat(100)}`;
  const { subject, text } = writeRelayedConsent({
    ...consent,
    ...{ summary: evil, siteName: evil, productName: evil, relayName: evil, recipientName: evil },
  });
  const plain = writeRelayedConsent(consent).text;
  expect(subject).not.toMatch(/[\r\n]|https:\/\//);
  expect(text.replace(consent.siteUrl, '')).not.toMatch(/\r|https:\/\//);
  expect(text.split('\n')).toHaveLength(plain.split('\n').length);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(400);
});
