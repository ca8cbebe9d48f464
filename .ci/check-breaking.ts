/**
 * `npm run check:breaking`: fails if the schema of the working tree breaks clients of the schema last
 * committed before it. What is added is welcome; what is removed or narrowed needs a decision, which is
 * made by running it once with `ALLOW_BREAKING=yes`.
 */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const file = 'schema/schema.graphql';

/** The schema as it was at a commit, or null where there was none, or no history to ask. */
function schemaAt(commit: string): string | null {
  try {
    return execFileSync('git', ['show', `${commit}:${file}`], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return null;
  }
}

/** The commit before the newest one that changed the schema; with changes not committed, that newest one. */
function baseline(): string {
  const unchanged = schemaAt('HEAD') === current;
  if (!unchanged) return 'HEAD';
  const [, before = ''] = execFileSync('git', ['log', '-2', '--format=%H', '--', file], {
    encoding: 'utf8',
  }).split('\n');
  return before;
}

const current = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
const commit = baseline();
const before = commit === '' ? null : schemaAt(commit);
if (before === null) {
  process.stdout.write('There is no earlier schema to compare with.\n');
} else {
  const changes = await diff(buildSchema(before), buildSchema(current));
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  for (const { path, message } of breaking) process.stderr.write(`${path ?? ''}: ${message}\n`);
  if (breaking.length > 0 && process.env['ALLOW_BREAKING'] !== 'yes') {
    process.stderr.write(
      `The schema breaks clients of ${commit.slice(0, 12)}: ${breaking.length} changes.\n`,
    );
    process.exitCode = 1;
  }
}
