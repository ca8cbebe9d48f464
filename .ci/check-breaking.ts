/**
 * `npm run check:breaking`: fails if the schema of the working tree breaks clients of the schema committed
 * before it. What is added is welcome; what is removed or narrowed needs a decision, which is
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

/**
 * Where the branch left the default branch of its remote. Where there is no such place: with changes not
 * committed, the newest commit; without, the commit before the newest one that changed the schema.
 */
function baseline(): string {
  const forkPoint = git('merge-base', 'HEAD', 'origin/HEAD');
  if (forkPoint !== '' && forkPoint !== git('rev-parse', 'HEAD')) return forkPoint;
  if (schemaAt('HEAD') !== current) return 'HEAD';
  const [, before = ''] = git('log', '-2', '--format=%H', '--', file).split('\n');
  return before;
}

/** What git answers, or nothing where it has no answer. */
function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
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
