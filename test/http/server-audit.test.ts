import { expect, test } from 'vitest';
import { failedAudits } from './server-audit.ts';
import { startTestServer } from './server-fixture.ts';

test('passes every audit of the GraphQL over HTTP specification: MUST, SHOULD and MAY', async () => {
  await using server = await startTestServer();
  const authorization = `Bearer ${await server.tokenOf('ada@customer.example')}`;
  expect(await failedAudits(server.url, { authorization })).toEqual([]);
});
