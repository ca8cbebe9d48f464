import type { GraphQLError } from 'graphql';
import { requestError } from '../errors.ts';

/** Why an operation is not admitted. Nothing of it was begun. */
export type Refused = {
  readonly code: 'TOO_MANY_OPERATIONS' | 'RATE_LIMITED';
  readonly message: string;
  /** After this it may be sent again. */
  readonly retryAfterSeconds: number;
};

export function tooMany(whose: string, limit: number): Refused {
  return {
    code: 'TOO_MANY_OPERATIONS',
    message: `Of ${whose}, ${limit} operations run or wait at this gateway, which is the most allowed. Nothing of this one was begun: send it again once some of them are answered.`,
    retryAfterSeconds: 1,
  };
}

export function tooManyBodies(limit: number): Refused {
  return {
    code: 'TOO_MANY_OPERATIONS',
    message: `Of your requests, ${limit} arrive at this gateway, which is the most allowed. This one was not read: send it again once some of them are answered.`,
    retryAfterSeconds: 1,
  };
}

export const noTurn: Refused = {
  code: 'TOO_MANY_OPERATIONS',
  message: 'The gateway has too much to do. Nothing of this operation was begun: send it again.',
  retryAfterSeconds: 1,
};

export function tooFast(whose: string, perSecond: number, ms: number): Refused {
  const retryAfterSeconds = Math.ceil(ms / 1_000);
  return {
    code: 'RATE_LIMITED',
    message: `More operations of ${whose} than ${perSecond} a second. Nothing of this one was begun: send it again in ${retryAfterSeconds} s.`,
    retryAfterSeconds,
  };
}

/** 429 with `Retry-After` over HTTP; over the other transports the extensions have the seconds. */
export function refusedError({ code, message, retryAfterSeconds }: Refused): GraphQLError {
  return requestError(
    429,
    code,
    message,
    { 'retry-after': String(retryAfterSeconds) },
    { retryAfterSeconds },
  );
}
