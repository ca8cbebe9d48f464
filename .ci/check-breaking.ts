/**
 * `npm run check:breaking`: fails if the schema of the working tree breaks clients of the schema committed before it.
 * Additions pass, and so do the breaking changes in schema/approved-breaking-changes.txt.
 * `npm run check:breaking -- --approve` adds the present ones to that file, to be committed with the schema, and removes
 * those that were taken back since.
 */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const file = 'schema/schema.graphql';
const approvalsFile = new URL('../schema/approved-breaking-changes.txt', import.meta.url);

/** Returns the schema at a commit, or null if the commit has none or cannot be read. */
function schemaAt(commit: string): string | null {
  try {
    return execFileSync('git', ['show', `${commit}:${file}`], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return null;
  }
}

/**
 * Returns the commit to compare with: the merge base with the remote's default branch, unless that is HEAD or unknown.
 * Otherwise HEAD if the schema has uncommitted changes, else the previous commit that changed the schema. Returns an
 * empty string if there is none.
 */
function baseline(): string {
  const forkPoint = git('merge-base', 'HEAD', 'origin/HEAD');
  if (forkPoint !== '' && forkPoint !== git('rev-parse', 'HEAD')) return forkPoint;
  if (schemaAt('HEAD') !== current) return 'HEAD';
  const [, before = ''] = git('log', '-2', '--format=%H', '--', file).split('\n');
  return before;
}

/** The breaking changes that were approved, each as this check reports it. */
async function approvals(): Promise<Set<string>> {
  const text = await readFile(approvalsFile, 'utf8').catch(() => '');
  return new Set(text.split('\n').filter((line) => line !== ''));
}

/** The breaking changes from this schema to the present one, each as this check reports it. */
async function breakingSince(earlier: string): Promise<string[]> {
  const changes = await diff(buildSchema(earlier), buildSchema(current));
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  return breaking.map(({ path, message }) => `${path ?? ''}: ${message}`).sort();
}

/** Adds these changes to the approved ones, of which it keeps those that some committed schema still differs by. */
async function approve(found: readonly string[]): Promise<void> {
  const unconfirmed = await approvals();
  const kept = new Set(found);
  for (const version of git('log', '--format=%H', '--', file).split('\n')) {
    if (unconfirmed.size === 0) break;
    const earlier = schemaAt(version);
    const changes = earlier === null ? [] : await breakingSince(earlier);
    for (const change of changes) if (unconfirmed.delete(change)) kept.add(change);
  }
  await writeFile(approvalsFile, `${[...kept].sort().join('\n')}\n`);
}

/** Returns the output of git, or an empty string if it fails. */
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
  const changesFound = await breakingSince(before);
  if (process.argv.includes('--approve')) await approve(changesFound);
  const approved = await approvals();
  const unapproved = changesFound.filter((change) => !approved.has(change));
  for (const change of unapproved) process.stderr.write(`${change}\n`);
  if (unapproved.length > 0) {
    process.stderr.write(
      `The schema breaks clients of ${commit.slice(0, 12)}: ${unapproved.length} changes. To approve them: npm run check:breaking -- --approve\n`,
    );
    process.exitCode = 1;
  }
}
