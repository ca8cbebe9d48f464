import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const file = 'schema/schema.graphql';

export type Report = { readonly passes: boolean; readonly said: string };

/**
 * Compares the schema in this working tree with the one committed before it.
 *
 * @param approving adds the breaking changes to the approved ones, and removes those that were taken back since
 */
export async function reportBreakingChanges(root: string, approving: boolean): Promise<Report> {
  const approvalsFile = join(root, 'schema/approved-breaking-changes.txt');
  const current = await readFile(join(root, file), 'utf8');

  const commit = baseline();
  const before = commit === '' ? null : schemaAt(commit);
  if (before === null) return { passes: true, said: 'There is no earlier schema to compare with.\n' };
  const found = await breakingSince(before);
  if (approving) await approve(found);
  const approved = await approvals();
  const unapproved = found.filter((change) => !approved.has(change));
  if (unapproved.length === 0) return { passes: true, said: '' };
  const advice = 'To approve them: npm run check:breaking -- --approve';
  const sum = `The schema breaks clients of ${commit.slice(0, 12)}: ${unapproved.length} changes. ${advice}`;
  return { passes: false, said: [...unapproved, sum, ''].join('\n') };

  /** Returns the schema at a commit, or null if the commit has none or cannot be read. */
  function schemaAt(commit: string): string | null {
    try {
      return execFileSync('git', ['show', `${commit}:${file}`], {
        cwd: root,
        encoding: 'utf8',
        stdio: 'pipe',
      });
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
      return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
    } catch {
      return '';
    }
  }
}
