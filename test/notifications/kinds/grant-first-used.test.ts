import { expect, test } from 'vitest';
import { writeGrantFirstUsed } from '../../../src/notifications/kinds/grant-first-used.ts';

const use = {
  ...{ ticketKey: 'SUP-1042', summary: 'The board is slow', grantId: '01890000-0000-7000-8000-000000000000' },
  conversations: null,
  ...{ siteName: 'Acme', siteUrl: 'https://acme.example', productName: 'Jira', recipientName: 'Rita' },
  ...{ engineerName: 'Erin', startedAt: new Date('2026-11-23T10:16:30Z'), country: 'IE' },
  ...({ reason: 'GATHER_LOGS', note: 'The log of the board.' } as const),
};

test('a mail says who uses the access, why, from where, and how to end it', () => {
  expect(writeGrantFirstUsed(use)).toEqual({
    subject: 'SUP-1042: support has started to use its access to Acme',
    text: `Hello Rita,

An engineer has started the first support session under the access that
your organization has granted on the ticket below.

Ticket:       SUP-1042: The board is slow
Site:         Acme, https://acme.example
Product:      Jira
Access to:    the product's data
Engineer:     Erin
From:         IE
At:           2026-11-23 10:16 UTC
Reason:       to read logs
Note:         The log of the board.

The sessions of the ticket show what the engineer does. To end the access,
revoke it in the sidebar of the ticket, or through the API as yourself:

mutation {
  revokeDataAccess(input: {
    grantId: "R3JhbnQ6MDE4OTAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
  }) { __typename ... on Error { code message } }
}
`,
  });
});

test('a mail names every conversation that is opened', () => {
  expect(
    writeGrantFirstUsed({ ...use, conversations: ['chat-7', 'chat-8'] }).text,
  ).toContain(`Access to:    Rovo conversations: these 2, and no others
Conversation: chat-7
Conversation: chat-8
`);
});

test('what the engineer wrote is quoted: one line, without links', () => {
  const evil = 'Erin\r\nNote: nothing https://evil.example';
  const { text } = writeGrantFirstUsed({ ...use, engineerName: evil, note: evil });
  expect(text.replace(use.siteUrl, '')).not.toMatch(/\r|https:\/\//);
});
