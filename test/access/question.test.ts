/** What is a question, and what is none. */
import { expect, test } from 'vitest';
import type { Evaluation } from '../../src/access/evaluation.ts';
import { isQuestion, readQuestion } from '../../src/access/question.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { evaluation, question, siteUrl, someChange, someId } from './builders.ts';

test('a whole question', () => {
  expect(question({ context: { engineer_country: 'FR', processing_region: 'US' } })).toEqual({
    engineer: { by: 'email', value: 'erin@vendor.example' },
    action: 'work_item.read',
    resource: { type: 'work_item', id: 'ACME-1' },
    site: { by: 'url', value: siteUrl },
    product: 'jira',
    use: { by: 'key', value: 'SUP-1000' },
    engineerCountry: 'FR',
    processingRegion: 'US',
    destinationRegion: null,
    changeRequest: null,
  });
});

test('things may be named by their global ids', () => {
  const id = (type: string) => encodeGlobalId(type, someId);
  expect(
    question({
      subject: { id: id('SupportEngineer') },
      properties: { site: id('Site') },
      context: { ticket: undefined, session: id('SupportSession') },
    }),
  ).toMatchObject({
    engineer: { by: 'id', value: someId },
    site: { by: 'id', value: someId },
    use: { by: 'id', value: someId },
  });
});

test('the id of another type names nothing', () => {
  const ticket = encodeGlobalId('Ticket', someId);
  expect(question({ subject: { id: ticket }, properties: { site: ticket } })).toMatchObject({
    engineer: { by: 'nothing' },
    site: { by: 'nothing' },
  });
});

test('a malformed id, address or URL names nothing', () => {
  for (const text of ['1', '@', 'https://', `${encodeGlobalId('Site', 'x')}`, 'http://acme.example']) {
    expect(question({ subject: { id: text }, properties: { site: text } })).toMatchObject({
      engineer: { by: 'nothing' },
      site: { by: 'nothing' },
    });
  }
});

test('the case of an address and of a URL makes no difference', () => {
  expect(
    question({ subject: { id: 'ERIN@Vendor.Example' }, properties: { site: 'https://ACME.example/' } }),
  ).toMatchObject({ engineer: { value: 'erin@vendor.example' }, site: { value: siteUrl } });
});

test('unknown properties are ignored', () => {
  expect(question({ properties: { color: 'red' }, context: { weather: 'fine' } })).toEqual(question());
});

const problems: [string, Evaluation, string][] = [
  ['another type of subject', evaluation({ subject: { type: 'user' } }), 'INVALID_QUESTION'],
  ['an unknown action', evaluation({ action: 'work_item.delete' }), 'UNKNOWN_ACTION'],
  ['an action that every object has', evaluation({ action: 'toString' }), 'UNKNOWN_ACTION'],
  ['another type of resource', evaluation({ resource: { type: 'page' } }), 'WRONG_RESOURCE_TYPE'],
  [
    'a type of the API',
    evaluation({ action: 'change.apply', resource: { type: 'Site' } }),
    'INVALID_QUESTION',
  ],
  ['no site', evaluation({ properties: { site: undefined } }), 'INVALID_QUESTION'],
  ['no product', evaluation({ properties: { product: undefined } }), 'INVALID_QUESTION'],
  ['a product that is no text', evaluation({ properties: { product: 1 } }), 'INVALID_QUESTION'],
  ['neither ticket nor session', evaluation({ context: { ticket: undefined } }), 'INVALID_QUESTION'],
  ['both ticket and session', evaluation({ context: { session: 'x' } }), 'INVALID_QUESTION'],
  ['a country that is none', evaluation({ context: { engineer_country: 'XX' } }), 'INVALID_QUESTION'],
  ['a country in small letters', evaluation({ context: { engineer_country: 'de' } }), 'INVALID_QUESTION'],
  ['an export to nowhere', evaluation({ action: 'data.export' }), 'INVALID_QUESTION'],
  ['no change request', evaluation({ action: 'change.apply' }), 'INVALID_QUESTION'],
  [
    'a product as another one',
    evaluation({ action: 'users.view', resource: { type: 'product', id: 'confluence' } }),
    'INVALID_QUESTION',
  ],
  ['an empty id', evaluation({ resource: { id: '' } }), 'INVALID_QUESTION'],
  ['a long id', evaluation({ resource: { id: 'x'.repeat(1_001) } }), 'INVALID_QUESTION'],
  [
    'a character that PostgreSQL cannot keep',
    evaluation({ resource: { id: 'a\u0000' } }),
    'INVALID_QUESTION',
  ],
  ['half a character', evaluation({ resource: { id: 'a\ud800' } }), 'INVALID_QUESTION'],
];

test.each(problems)('%s', (_, asked, code) => {
  expect(readQuestion(asked)).toMatchObject({ code });
});

const notText = (path: string) =>
  `${path} must be a text of 1 to 1000 characters without control characters.`;

const messages: [string, Evaluation][] = [
  ['subject.type must be support_engineer.', evaluation({ subject: { type: 'user' } })],
  [
    'resource.type must have at most 100 of the characters a to z, 0 to 9 and _.',
    evaluation({ action: 'change.apply', resource: { type: 'Site' } }),
  ],
  [
    'resource.id must be the key of the product.',
    evaluation({ action: 'users.view', resource: { type: 'product', id: 'confluence' } }),
  ],
  ['resource.properties.site is missing.', evaluation({ properties: { site: undefined } })],
  ['context.change_request is missing.', evaluation({ action: 'change.apply' })],
  [notText('subject.id'), evaluation({ subject: { id: '' } })],
  [notText('resource.id'), evaluation({ resource: { id: '' } })],
  [notText('resource.properties.product'), evaluation({ properties: { product: '' } })],
  [notText('context.ticket'), evaluation({ context: { ticket: '' } })],
  ['The context must name a ticket or a session, not both.', evaluation({ context: { session: 'x' } })],
  ['The context must name a ticket or a session.', evaluation({ context: { ticket: undefined } })],
  [
    'context.engineer_country must be the code of a country by ISO 3166-1 alpha-2.',
    evaluation({ context: { engineer_country: 'XX' } }),
  ],
];

test.each(messages)('a problem says: %s', (message, asked) => {
  expect(readQuestion(asked)).toEqual({ code: 'INVALID_QUESTION', message });
});

test('a type of a resource has 1 to 100 small letters, digits and underscores, and begins with a letter', () => {
  const read = (type: string) =>
    readQuestion(
      evaluation({
        ...{ action: 'change.apply', resource: { type }, context: { change_request: someChange } },
      }),
    );
  for (const type of ['x', 'issue_type_2', 'x'.repeat(100)]) expect(isQuestion(read(type))).toBe(true);
  for (const type of ['', '2nd', '_x', 'a-b', 'Xx', 'xX', 'x'.repeat(101)])
    expect(read(type)).toMatchObject({
      code: 'INVALID_QUESTION',
      message: expect.stringMatching(/^resource\.type/),
    });
});

test('a text may have 1000 characters, and is a text', () => {
  const id = 'x'.repeat(1_000);
  expect(question({ resource: { id } }).resource).toMatchObject({ id });
  expect(readQuestion(evaluation({ properties: { product: ['jira'] } }))).toMatchObject({
    message: notText('resource.properties.product'),
  });
});

test('a change request is named by its own global id', () => {
  const asked = (id: string) =>
    question({ action: 'change.apply', context: { change_request: id } }).changeRequest;
  expect(asked(someChange)).toMatchObject({ by: 'id' });
  expect(asked(encodeGlobalId('Ticket', someId))).toMatchObject({ by: 'nothing' });
});

test('no context and no properties are a problem, not a defect', () => {
  const { subject, action, resource } = evaluation();
  expect(isQuestion(readQuestion({ subject, action, resource }))).toBe(false);
  const { type, id } = resource;
  expect(isQuestion(readQuestion({ subject, action, resource: { type, id } }))).toBe(false);
});

test('a property of every object is not taken for one of the request', () => {
  expect(
    question({
      action: 'change.apply',
      resource: { type: 'constructor' },
      context: { change_request: someChange },
    }).resource.type,
  ).toBe('constructor');
});
