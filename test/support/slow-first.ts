import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { longRuns } from './long-runs.ts';

/** The test files that take longest, the longest first. */
const slowFiles = [
  ...longRuns,
  'test/api/statements.test.ts',
  'test/api/tenancy.test.ts',
  'test/api/model.test.ts',
  'test/api/authorization-mutations.test.ts',
  'test/tour/tour.test.ts',
  'test/events/feed.test.ts',
  'test/api/audit.test.ts',
  'test/notifications/delivery.test.ts',
  'test/api/provisioning.test.ts',
  'test/api/admission.test.ts',
  'test/api/authorization-reads.test.ts',
  'test/audit/search.test.ts',
  'test/api/races.test.ts',
  'test/delivery/access-ends.test.ts',
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
