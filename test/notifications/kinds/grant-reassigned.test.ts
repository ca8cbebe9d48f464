import { expect, test } from 'vitest';
import { writeGrantReassigned } from '../../../src/notifications/kinds/grant-reassigned.ts';

const grant = {
  ...{ ticketKey: 'SUP-1042', summary: 'The board is slow' },
  ...{ siteName: 'Acme', siteUrl: 'https://acme.example', productName: 'Jira' },
  ...{ engineerName: 'Sam', formerEngineerName: 'Erin', recipientName: 'Rita' },
};

test('a mail says who had the access, who has it now, and how to end it', () => {
  expect(writeGrantReassigned(grant)).toEqual({
    subject: 'SUP-1042: support access to Acme passed to another engineer',
    text: `Hello Rita,

The ticket below was assigned anew, and with it the support access that
your organization has granted on it.

Ticket:       SUP-1042: The board is slow
Site:         Acme, https://acme.example
Product:      Jira
Engineer:     Sam
Before:       Erin

To end the access, revoke it in the sidebar of the ticket, or with
revokeDataAccess through the API as yourself.
`,
  });
});

test('a mail says so where nobody has the access', () => {
  const { subject, text } = writeGrantReassigned({ ...grant, engineerName: null });
  expect(subject).toContain('passed to nobody');
  expect(text).toContain('Engineer:     nobody\n');
});

test('names are quoted: one line, without links', () => {
  const evil = 'Sam\r\nBefore: nobody https://evil.example';
  const { text } = writeGrantReassigned({ ...grant, engineerName: evil, formerEngineerName: evil });
  expect(text.replace(grant.siteUrl, '')).not.toMatch(/\r|https:\/\//);
});
