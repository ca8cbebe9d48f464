import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../schema/generated/operations.ts';
import type { Timeline } from './timeline.ts';

/** A step of the tour had another result than the rules demand. */
export class UnmetExpectationError extends Error {
  override readonly name = 'UnmetExpectationError';

  constructor(expectation: string, expected: unknown, actual: unknown) {
    super(`Expected: ${expectation}: ${show(expected)}\nActual:   ${show(actual)}`);
  }
}

/** The result of a mutation: an object, or an error with a code. */
type Answer = { readonly __typename: string };
type ErrorOf<Result extends Answer> = Extract<Result, { code: ErrorCode }>;
type DoneOf<Result extends Answer> = Exclude<Result, { code: ErrorCode }>;

export type Expect = {
  /** Expects equal values. The timeline shows `what`. */
  equal(what: string, actual: unknown, expected: unknown): void;
  /** Expects that a mutation succeeded; returns its object. */
  done<Result extends Answer>(what: string, answer: Result): DoneOf<Result>;
  /** Expects that a mutation was refused with this code; returns the error. */
  refused<Result extends Answer>(what: string, answer: Result, code: ErrorCode): ErrorOf<Result>;
};

/** Expectations that the timeline shows when they are met. Otherwise they throw an UnmetExpectationError. */
export function createExpect(timeline: Timeline): Expect {
  return {
    equal(what, actual, expected) {
      if (!isDeepStrictEqual(actual, expected)) throw new UnmetExpectationError(what, expected, actual);
      timeline.meet(isSaidByWords(expected) ? what : `${what}: ${show(actual)}`);
    },
    done(what, answer) {
      if (isError(answer)) throw new UnmetExpectationError(what, 'success', answer);
      // Every member of the union that is not an error is a result.
      return answer as DoneOf<typeof answer>;
    },
    refused(what, answer, code) {
      if (!isError(answer) || answer.code !== code) throw new UnmetExpectationError(what, code, answer);
      timeline.meet(`${what}: ${code}`);
      return answer;
    },
  };
}

function isError<Result extends Answer>(answer: Result): answer is ErrorOf<Result> {
  return 'code' in answer;
}

/** Whether the words of an expectation say its value, too. */
function isSaidByWords(expected: unknown): boolean {
  return expected === null || typeof expected === 'boolean' || typeof expected === 'number';
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null)) {
    return value.map((item) => item ?? 'nobody').join(', ');
  }
  return JSON.stringify(value);
}
