import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The test files that take longest, the longest first. */
const slowFiles = [
  'test/http/graphiql.test.ts',
  'test/platform/embedded-postgres.test.ts',
  'test/api/model.test.ts',
  'test/api/statements.test.ts',
  'test/startup.test.ts',
  'test/api/outage.test.ts',
  'test/api/lists.test.ts',
  'test/api/results.test.ts',
  'test/api/asking-lists.test.ts',
  'test/api/races.test.ts',
  'test/delivery/history.test.ts',
  'test/delivery/one-stalled.test.ts',
  'test/delivery/cuts.test.ts',
  'test/access/faults.test.ts',
  'test/delivery/unavailable.test.ts',
  'test/delivery/hostile.test.ts',
  'test/delivery/access-ends.test.ts',
  'test/client/token-renewal.test.ts',
  'test/api/tenancy.test.ts',
  'test/api/authorization-mutations.test.ts',
  'test/api/time-limits.test.ts',
  'test/api/viewer-may.test.ts',
  'test/commands/execute.test.ts',
];

/** By project, because a process runs only files of one. The unit tests fill the time in which the last others run. */
const projects = ['isolated', 'database', 'unit'];

/** Runs the slow test files first, so that no processor is idle at the end while one of them runs. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => placeOf(one) - placeOf(other));
  }
}

function placeOf({ project, moduleId }: TestSpecification): number {
  const place = slowFiles.findIndex((file) => moduleId.endsWith(`/${file}`));
  return projects.indexOf(project.name) * 1_000 + (place === -1 ? slowFiles.length : place);
}
