import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GuardRequest, writeGuardRequest } from '../../../src/notifications/kinds/guard-request.ts';
import type { Recipient } from '../../../src/notifications/mail-kind.ts';

const request: GuardRequest & Recipient = {
  grantId: '019ab000-0000-7000-8000-000000000001',
  ticketKey: 'SUP-1042',
  summary: 'The board is slow',
  siteName: 'Acme',
  siteUrl: 'https://acme.example',
  productName: 'Jira',
  conversations: null,
  engineerName: 'Erin',
  justification: 'To read the slow query log',
  approverName: 'Otto',
  approverEmail: 'otto@acme.example',
  approvedAt: new Date('2026-11-23T10:16:59Z'),
  approvalReason: 'She has waited since Monday',
  relayName: null,
  expiresAt: new Date('2026-12-01T00:00:00Z'),
  decideBy: new Date('2026-12-01T00:00:00Z'),
  recipientName: 'Grace',
};

test('a mail says what is requested, who approved it, when it expires, and how to decide', () => {
  expect(writeGuardRequest(request)).toEqual({
    subject: 'SUP-1042: support access to Acme awaits your approval',
    text: `Hello Grace,

Support access to the data below was approved, and awaits your decision
as a Guard admin.

Ticket:       SUP-1042: The board is slow
Site:         Acme, https://acme.example
Product:      Jira
Asked for:    the product's data
Engineer:     Erin
Why:          To read the slow query log
Approved by:  Otto, otto@acme.example, 2026-11-23 10:16 UTC
Reason:       She has waited since Monday
Access until: 2026-12-01 00:00 UTC
Decide by:    2026-12-01 00:00 UTC; the request expires then

Decide in your organization's admin UI, or through the API as yourself:

mutation {
  approveGuardRequest(input: {
    grantId: "R3JhbnQ6MDE5YWIwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAx"
  }) { __typename ... on Error { code message } }
}

To let access end earlier, add expiresAt. To deny it, the same with
denyGuardRequest. The first decision of a Guard admin counts; until then
the approval allows nothing.
`,
  });
});

test('a mail says which program relayed the approval', () => {
  const { text } = writeGuardRequest({ ...request, relayName: 'Ticketing' });
  expect(text).toContain('Relayed by:   Ticketing, which says that this person consented\n');
});

test('a mail says which data is requested, and leaves out facts that are not known', () => {
  const { text } = writeGuardRequest({
    ...request,
    ...{
      conversations: ['chat-7', 'chat-8\nAsked for: all'],
      engineerName: null,
      ...{ justification: null, approvalReason: null },
      expiresAt: null,
    },
  });
  expect(text).toContain(`Asked for:    Rovo conversations: these 2, and no others
Conversation: chat-7
Conversation: chat-8 Asked for: all
`);
  expect(text).toContain('Engineer:     whoever is assigned to the ticket\n');
  expect(text).not.toMatch(/Why:|Reason:|Access until:/);
});

test('each text that people wrote is one line of limited length, whatever it contains', () => {
  const anything = fc.oneof(
    // Control characters, and characters that change the direction of text, have low code points.
    fc
      .array(fc.oneof(fc.nat({ max: 0x20ff }), fc.nat({ max: 0x10ffff })), { maxLength: 600 })
      .map((codes) => String.fromCodePoint(...codes)),
    fc.constantFrom('\r\nBcc: all@example.com\r\n\r\nDecide by: never', '\u2028\u2029\u0085', '\u202eecart'),
  );
  const { text: plain } = writeGuardRequest({ ...request, relayName: 'Ticketing' });
  fc.assert(
    fc.property(
      fc.record({
        summary: anything,
        siteName: anything,
        productName: anything,
        engineerName: anything,
        justification: anything,
        approverName: anything,
        approvalReason: anything,
        relayName: anything,
        recipientName: anything,
      }),
      (words) => {
        const { subject, text } = writeGuardRequest({ ...request, ...words });
        expect(subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
        expect(text).not.toMatch(/[^\n\P{Cc}]|[\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
        const label = (line: string) => /^[A-Z][a-z ]+:(?= )/.exec(line)?.[0];
        expect(text.split('\n').map(label)).toEqual(plain.split('\n').map(label));
        expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThan(600);
      },
    ),
  );
});

test('no mail program makes a link of what people wrote', () => {
  const { subject, text } = writeGuardRequest({
    ...request,
    siteName: 'Acme www.evil.example',
    summary: 'See https://evil.example/login?to=a or evil。example',
    justification:
      'Sign in at mailto:help@evil.example, localhost:9 or HTTPS://10.0.0.1/x. Version 1.2 is fine, e.g. today.',
  });
  expect(subject).toContain('Acme www[.]evil[.]example awaits');
  expect(text).toContain('See https[:]//evil[.]example/login?to=a or evil[。]example\n');
  expect(text).toContain(
    'mailto[:]help[@]evil[.]example, localhost[:]9 or HTTPS[:]//10.0.0.1/x. Version 1.2 is fine, e.g. today.\n',
  );
});

test('a mail shows no invisible character', () => {
  const { text } = writeGuardRequest({ ...request, engineerName: 'Er\u200bin', summary: 'The bo\u202eard' });
  expect(text).toContain('Engineer:     Erin\n');
  expect(text).toContain('SUP-1042: The board\n');
});
