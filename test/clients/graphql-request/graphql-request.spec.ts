import { print } from 'graphql';
import { ClientError, GraphQLClient } from 'graphql-request';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DenyDataAccessDocument,
  RevokeDataAccessDocument,
  ViewerDocument,
} from '../../../schema/generated/operations.ts';
import { startPage } from '../support/documents.ts';
import { openStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let client: GraphQLClient;

beforeAll(async () => {
  stage = await openStage();
  client = clientOf((await stage.as('organizationAdmin')).token);
});
afterAll(() => stage[Symbol.asyncDispose]());

function clientOf(token: string | null, options: { errorPolicy?: 'all' } = {}): GraphQLClient {
  const { httpUrl } = stage.accessOf(stage.gateway.withToken(token));
  return new GraphQLClient(httpUrl, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...options,
  });
}

/** The error that a request ended with. */
const errorOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => undefined,
    (error: unknown) => error,
  );

test('a query answers its data', async () => {
  const { viewer } = await client.request(ViewerDocument);
  expect(viewer).toMatchObject({
    kind: 'USER',
    account: { email: stage.world.acme.emails.organizationAdmin },
  });
});

test('a mutation answers the thing', async () => {
  const [grantId = ''] = await stage.fileRequests(1);
  const { denyDataAccess } = await client.request(DenyDataAccessDocument, { input: { grantId } });
  expect(denyDataAccess).toMatchObject({ __typename: 'Grant', id: grantId, state: 'DENIED' });
});

test('a refused mutation answers the refusal, and no exception', async () => {
  const [grantId = ''] = await stage.fileRequests(1);
  const { revokeDataAccess } = await client.request(RevokeDataAccessDocument, { input: { grantId } });
  expect(revokeDataAccess).toMatchObject({ __typename: 'InvalidStateError', code: 'NOT_APPROVED_YET' });
});

test.each([
  ['a token that is not good', 'none'],
  ['no token', null],
])('a request with %s rejects: 401', async (_, token) => {
  const error = await errorOf(clientOf(token).request(ViewerDocument));
  expect(error).toBeInstanceOf(ClientError);
  expect(error).toMatchObject({
    response: { status: 401, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
  });
});

test('a wrong document rejects with the errors of the API', async () => {
  const error = await errorOf(client.request('{ nothingLikeIt }'));
  expect(error).toMatchObject({
    response: { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
  });
});

test('a page shows the rest to somebody who may not read one of its lists', async () => {
  const reporter = clientOf((await stage.as('reporter')).token, { errorPolicy: 'all' });
  const { data, errors } = await reporter.rawRequest(print(startPage));
  expect(data).toMatchObject({ viewer: { kind: 'USER' }, auditLog: null });
  expect(errors).toMatchObject([{ path: ['auditLog'], extensions: { code: 'FORBIDDEN' } }]);
});
