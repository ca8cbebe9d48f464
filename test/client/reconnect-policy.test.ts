import { describe, expect, test } from 'vitest';
import { RequestFailedError } from '../../client/src/errors.ts';
import { readError } from '../../client/src/read-error.ts';
import {
  decideOnTokenFailure,
  decideReconnect,
  type ReconnectDecision,
} from '../../client/src/reconnect-policy.ts';

const graphqlError = (code: string) => [{ message: 'The reason.', extensions: { code } }];
const close = (code: number) => ({ code, reason: 'The reason.' });

describe('reconnects', () => {
  test.for([
    'FEED_UNAVAILABLE',
    'FEED_CLOSED',
    'SERVICE_UNAVAILABLE',
    'IDENTITY_UNAVAILABLE',
    'TOOK_TOO_LONG',
    'TOO_MANY_OPERATIONS',
    'RATE_LIMITED',
    'TOO_MANY_CONNECTIONS',
    'INTERNAL_SERVER_ERROR',
  ])('after the transient error %s', (code) => {
    const reason = `${code}: The reason.`;
    expect(decideReconnect(graphqlError(code), true)).toEqual({ kind: 'RETRY', reason, code: 'UNREACHABLE' });
  });

  test.for([
    [1000, 'a normal closure'],
    [1001, 'a gateway that drains'],
    [1005, 'a close frame without a code'],
    [1006, 'a lost connection'],
    [1011, 'a server error'],
    [1012, 'a restart'],
    [1013, 'a gateway that asks to try again later'],
    [1014, 'a bad gateway'],
    [4408, 'a connection_init that came late'],
    [4413, 'a slow consumer'],
    [4429, 'too many connections'],
    [4500, 'an internal error'],
  ] as const)('after close code %i: %s', ([code]) => {
    expect(decideReconnect(close(code), true)).toEqual({
      kind: 'RETRY',
      reason: `the gateway closed the connection: ${code} The reason.`,
      code: 'UNREACHABLE',
    });
  });

  test('after a stream that the gateway completed', () => {
    expect(decideReconnect(null, true).kind).toBe('RETRY');
  });

  test.for([
    ['an error with a message', new Error('ECONNRESET'), 'the connection failed: ECONNRESET'],
    ['an error without one', new Error(''), 'the connection failed'],
    ['something else thrown', 'ECONNRESET', 'the connection failed'],
  ] as const)('after a failed connection: %s', ([, thrown, reason]) => {
    expect(decideReconnect(thrown, true)).toEqual({ kind: 'RETRY', reason, code: 'UNREACHABLE' });
  });

  test.for([
    ['UNREACHABLE', null, 'UNREACHABLE'],
    ['TOKEN_UNAVAILABLE', null, 'TOKEN_UNAVAILABLE'],
    ['SERVICE_UNAVAILABLE', 503, 'TOKEN_UNAVAILABLE'],
    ['INTERNAL', 500, 'TOKEN_UNAVAILABLE'],
  ] as const)('after a token source failed with %s and status %s', ([code, status, final]) => {
    const cause = new RequestFailedError(code, 'The reason.', status);
    expect(decideOnTokenFailure(cause)).toEqual({ kind: 'RETRY', reason: 'The reason.', code: final, cause });
  });
});

describe('asks for a new token', () => {
  test('after the error UNAUTHENTICATED', () => {
    expect(decideReconnect(graphqlError('UNAUTHENTICATED'), true)).toEqual({
      kind: 'NEW_TOKEN',
      reason: 'The reason.',
      code: 'UNAUTHENTICATED',
    });
  });

  test.for([4401, 4403])('after close code %i on a connection that was accepted', (code) => {
    expect(decideReconnect(close(code), true).kind).toBe('NEW_TOKEN');
  });
});

/** The error with which a subscription ends. */
const errorOf = (decision: ReconnectDecision) => (decision.kind === 'GIVE_UP' ? decision.error : decision);
const errorAfter = (ended: unknown, wasAccepted: boolean) => errorOf(decideReconnect(ended, wasAccepted));

describe('gives up', () => {
  test.for([4401, 4403])('after close code %i on a connection that was not accepted', (code) => {
    expect(errorAfter(close(code), false)).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'The gateway does not accept the token: The reason.',
    });
    expect(errorAfter({ code, reason: '' }, false)).toMatchObject({
      message: `The gateway does not accept the token: ${code}`,
    });
  });

  test.for([4004, 4005, 4400, 4406, 4409])('after close code %i, a GraphQL protocol error', (code) => {
    expect(errorAfter(close(code), true)).toMatchObject({ code: `CLOSED_${code}` });
  });

  test.for([1002, 1003, 1007, 1008, 1009, 1010, 1015])(
    'after close code %i, a WebSocket protocol error',
    (code) => {
      expect(errorAfter(close(code), true)).toMatchObject({ code: `CLOSED_${code}` });
    },
  );

  test.for([
    'CURSOR_EXPIRED',
    'CURSOR_MALFORMED',
    'CURSOR_OF_ANOTHER_VIEWER',
    'CURSOR_OF_ANOTHER_FILTER',
    'HISTORY_REPLACED',
    'ACCESS_ENDED',
    'FORBIDDEN',
    'GRAPHQL_VALIDATION_FAILED',
  ])('after the error %s', (code) => {
    expect(errorAfter(graphqlError(code), true)).toMatchObject({ code, message: 'The reason.' });
  });

  test.for([401, 404, 499])('after a token source failed with status %i', (status) => {
    const error = new RequestFailedError('UNKNOWN_PERSON', 'The reason.', status);
    expect(errorOf(decideOnTokenFailure(error))).toMatchObject({
      code: 'UNKNOWN_PERSON',
      message: 'The token source failed: The reason.',
      cause: error,
    });
  });
});

describe('reads the message and the code of an error', () => {
  test.for([
    [
      { message: 'm', extensions: { code: 'C' } },
      { message: 'm', code: 'C' },
    ],
    [
      { message: 'm', code: 'C' },
      { message: 'm', code: 'C' },
    ],
    [{}, { message: 'The gateway gave no reason.', code: 'UNKNOWN' }],
    [
      { message: 7, extensions: { code: 7 } },
      { message: 'The gateway gave no reason.', code: 'UNKNOWN' },
    ],
    [undefined, { message: 'The gateway gave no reason.', code: 'UNKNOWN' }],
    [null, { message: 'The gateway gave no reason.', code: 'UNKNOWN' }],
  ] as const)('%j', ([error, expected]) => {
    expect(readError(error)).toEqual(expected);
  });
});
