/** The question of a proxy that enforces answers by the status of a subrequest. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Decider, EvaluationItem } from '../../../src/access/evaluation.ts';
import { type AccessServer, startAccessServer } from './fixture.ts';

const asked: EvaluationItem[] = [];
/** Answers yes to a question about ACME-1, and no to every other. */
const decide: Decider<string> = async (items) => {
  asked.push(...items);
  return items.map((item) => {
    const decision = 'evaluation' in item && item.evaluation.resource.id === 'ACME-1';
    const context = {
      code: decision ? 'ALLOWED' : 'REFUSED',
      message: 'Because.',
      evaluation: 'QXVkaXQ6MQ==',
    };
    return { decision, context };
  });
};

let server: AccessServer;
beforeAll(async () => {
  server = await startAccessServer({ decide });
});
afterAll(() => server[Symbol.asyncDispose]());

const question = {
  'x-access-engineer': 'erin@vendor.example',
  'x-access-action': 'work_item.read',
  'x-access-resource-type': 'work_item',
  'x-access-resource-id': 'ACME-1',
  'x-access-site': 'https://acme.example',
  'x-access-product': 'jira',
  'x-access-ticket': 'SUP-1',
};

function check(headers: Record<string, string>, token: string | null = server.token) {
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return server.send('/access/v1/proxy-check', { headers: { ...authorization, ...headers } });
}

test('204 for yes, with the code and the entry', async () => {
  asked.length = 0;
  const { status, headers, text } = await check({ ...question, 'x-request-id': 'r-1' });
  expect({ status, text }).toEqual({ status: 204, text: '' });
  expect(Object.fromEntries(headers)).toMatchObject({
    ...{ 'x-access-code': 'ALLOWED', 'x-access-evaluation': 'QXVkaXQ6MQ==' },
    ...{ 'cache-control': 'no-store', 'x-request-id': 'r-1' },
  });
  expect(asked).toEqual([
    {
      evaluation: {
        subject: { type: 'support_engineer', id: 'erin@vendor.example' },
        action: { name: 'work_item.read' },
        resource: {
          ...{ type: 'work_item', id: 'ACME-1' },
          properties: { site: 'https://acme.example', product: 'jira' },
        },
        context: { ticket: 'SUP-1' },
      },
    },
  ]);
});

test('403 for no, with the reason', async () => {
  const { status, headers, text } = await check({ ...question, 'x-access-resource-id': 'ACME-2' });
  expect({ status, text }).toEqual({ status: 403, text: 'Because.' });
  expect(headers.get('x-access-code')).toBe('REFUSED');
});

test('every other header is passed on', async () => {
  asked.length = 0;
  await check({
    ...question,
    ...{ 'x-access-ticket': '', 'x-access-session': 'U2Vzc2lvbg==', 'x-access-change-request': 'Q2hhbmdl' },
    ...{ 'x-access-engineer-country': 'IE', 'x-access-processing-region': 'EU' },
    'x-access-destination-region': 'US',
  });
  expect(asked).toMatchObject([
    {
      evaluation: {
        context: {
          ...{ session: 'U2Vzc2lvbg==', change_request: 'Q2hhbmdl', engineer_country: 'IE' },
          ...{ processing_region: 'EU', destination_region: 'US' },
        },
      },
    },
  ]);
});

test.each([
  ...['x-access-engineer', 'x-access-action', 'x-access-resource-type', 'x-access-resource-id'].map(
    (name) => [name, '', `${name} is missing.`],
  ),
  ...['é', 'a\tb', 'x'.repeat(501)].map((value) => [
    ...['x-access-ticket', value, 'x-access-ticket must be at most 500 characters of visible ASCII.'],
  ]),
] as [string, string, string][])(
  '403 with %s: %j, and what is wrong is recorded',
  async (name, value, broken) => {
    asked.length = 0;
    expect((await check({ ...question, [name]: value })).status).toBe(403);
    expect(asked).toEqual([{ broken }]);
  },
);

test('401 and 403 for a proxy that may not ask, without a code', async () => {
  asked.length = 0;
  const anonymous = await check(question, null);
  const other = await check(question, await server.tokenOf('erin@vendor.example'));
  expect([anonymous.status, other.status]).toEqual([401, 403]);
  expect([anonymous, other].map(({ headers }) => headers.get('x-access-code'))).toEqual([null, null]);
  expect(asked).toEqual([]);
});
