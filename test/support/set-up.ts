/** Setup of every test file. */
import './wait-patiently.ts';
import { afterAll, expect, vi } from 'vitest';

const found = whatTestsShare();

// A process runs many test files: what one of them changes and does not restore, the next one would find.
afterAll(() => {
  expect(vi.isFakeTimers(), 'The test file left the time stopped').toBe(false);
  expect(whatTestsShare(), 'The test file left something changed').toEqual(found);
});

function whatTestsShare() {
  return { variables: { ...process.env }, folder: process.cwd(), fetch: globalThis.fetch };
}
