/** Requests without a token to a real gateway. */
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.dispose());

const post = (query: string) =>
  fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });

const ticketId = 'VGlja2V0OjAxOTVhYTFlLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMA==';

test.each([
  '{ viewer { kind } }',
  '{ tickets { edges { node { id } } } }',
  '{ tickets { edges { node { id } } } grants { edges { node { id } } } }',
  `{ node(id: "${ticketId}") { id } }`,
  `{ nodes(ids: ["${ticketId}"]) { id } }`,
  '{ ticket(key: "SUP-1") { id } }',
  'mutation { createOrganization(input: { name: "Acme", hasGuard: true }) { __typename } }',
  `mutation { closeTicket(input: { ticketId: "${ticketId}" }) { __typename } }`,
  'mutation { closeTicket(input: { ticketId: "no id" }) { __typename } }',
  'mutation { addUser(input: { organizationId: "no id", email: "", name: "" }) { __typename } }',
  '{ ticket(key: "") { id } }',
  '{ tickets(filter: { siteId: "no id" }) { edges { node { id } } } }',
  '{ __typename }',
  getIntrospectionQuery(),
  '{ viewr { kind } }',
  'subscription { grantEvents { id } }',
])('get 401: %.60s', async (query) => {
  const response = await post(query);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  const { data, errors } = (await response.json()) as { data?: unknown; errors: unknown };
  expect(data).toBeUndefined();
  expect(errors).toMatchObject([
    { message: expect.not.stringMatching(/did you mean/i), extensions: { code: 'UNAUTHENTICATED' } },
  ]);
});
