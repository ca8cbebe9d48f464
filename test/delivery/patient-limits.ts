import type { Limits } from '../../src/http/limits.ts';

/** Milliseconds that no load reaches. */
const patience = 240_000;

/** Deadlines for clients that no busy machine reaches: for tests of something else. */
export const patientLimits = {
  requestHeadersMs: patience,
  requestMs: patience,
  connectionInitMs: patience,
  slowConsumerMs: patience,
} satisfies Partial<Limits>;
