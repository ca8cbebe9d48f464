import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../schema/generated/operations.ts';
import type { Timeline } from './timeline.ts';

/** A step of the tour differs from the rules. */
export class UnmetExpectationError extends Error {
  override readonly name = 'UnmetExpectationError';

  constructor(expectation: string, expected: unknown, came: unknown) {
    super(`Expected: ${expectation}: ${show(expected)}\nCame:     ${show(came)}`);
  }
}

/** Everything a mutation may answer: the thing, or an error with a code. */
type Answer = { readonly __typename: string };
type ErrorOf<Result extends Answer> = Extract<Result, { code: ErrorCode }>;
type DoneOf<Result extends Answer> = Exclude<Result, { code: ErrorCode }>;

export type Expect = {
  /** Values are equal. `what` says so in words, as the timeline shows it. */
  equal(what: string, came: unknown, expected: unknown): void;
  /** A mutation was carried out; answers what it left. */
  done<Result extends Answer>(what: string, answer: Result): DoneOf<Result>;
  /** A mutation was refused with this code; answers the error. */
  refused<Result extends Answer>(what: string, answer: Result, code: ErrorCode): ErrorOf<Result>;
};

/** Expectations that are told on the timeline when met, and thrown as an UnmetExpectationError when not. */
export function createExpect(timeline: Timeline): Expect {
  return {
    equal(what, came, expected) {
      if (!isDeepStrictEqual(came, expected)) throw new UnmetExpectationError(what, expected, came);
      timeline.meet(saysItAll(expected) ? what : `${what}: ${show(came)}`);
    },
    done(what, answer) {
      if (isError(answer)) throw new UnmetExpectationError(what, 'it is carried out', answer);
      // What is no error of a union is one of the rest.
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

/** With these, the words alone say what came. */
function saysItAll(expected: unknown): boolean {
  return expected === null || typeof expected === 'boolean' || typeof expected === 'number';
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null)) {
    return value.map((item) => item ?? 'nobody').join(', ');
  }
  return JSON.stringify(value);
}
