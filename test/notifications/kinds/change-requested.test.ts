import { expect, test } from 'vitest';
import {
  type ChangeRequested,
  writeChangeRequested,
} from '../../../src/notifications/kinds/change-requested.ts';

const change: ChangeRequested & { recipientName: string } = {
  ...{ ticketKey: 'SUP-1042', summary: 'The board is slow' },
  ...{ siteName: 'Acme', siteUrl: 'https://acme.example', productName: 'Jira' },
  changeRequestId: '0195aa1e-0000-7000-8000-000000000000',
  ...{ changeKind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
  ...{ description: 'Add support to the browsers', justification: 'The board cannot be opened' },
  ...{ engineerName: 'Erin', validUntil: new Date('2026-11-29T10:16:00Z'), recipientName: 'Rita' },
};

test('a mail says what is to be changed, why, by whom and until when, and how to decide', () => {
  expect(writeChangeRequested(change)).toEqual({
    subject: 'SUP-1042: support asks for your consent to a change of Acme',
    text: `Hello Rita,

A support engineer asks to make the change below. Nothing is changed unless
your organization consents.

Ticket:       SUP-1042: The board is slow
Site:         Acme, https://acme.example
Product:      Jira
Changes:      permissions: project ACME
What:         Add support to the browsers
Why:          The board cannot be opened
Engineer:     Erin
Until:        2026-11-29 10:16 UTC; the request and a consent to it expire then

Decide in the sidebar of the ticket, or through the API as yourself:

mutation {
  consentToChange(input: {
    changeRequestId: "${Buffer.from(`ChangeRequest:${change.changeRequestId}`).toString('base64')}"
  }) { __typename ... on Error { code message } }
}

To refuse it, the same with refuseChange. Whoever may grant support access
on this ticket can decide. A consent allows this change once, and can be
taken back with revokeChangeConsent until the change is begun.
`,
  });
});

test('what the engineer wrote is quoted: one line, without links', () => {
  const evil = 'Nothing\r\nEngineer: nobody https://evil.example';
  const names = {
    description: evil,
    justification: evil,
    engineerName: evil,
    resourceType: evil,
    resourceId: evil,
  };
  const { text } = writeChangeRequested({ ...change, ...names });
  expect(text.replace(change.siteUrl, '')).not.toMatch(/\r|https:\/\//);
  expect(text.match(/^Engineer:/gm)).toHaveLength(1);
});
