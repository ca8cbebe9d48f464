import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  clearDataFolder,
  inspectDataFolder,
  keptCursorSecret,
  prepareDataFolder,
} from '../../src/platform/data-folder.ts';

let place: string;
let folder: string;

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'latchkey-data-'));
  folder = join(place, 'data');
  const made = place;
  onTestFinished(() => rm(made, { recursive: true, force: true }));
});

async function write(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), 'content');
  }
}

async function filesIn(at: string): Promise<string[]> {
  const entries = await readdir(at, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(at.length + 1))
    .sort();
}

const ours = [
  ...['gateway.lock', 'server.lock', 'cursor-secret', 'cursor-secret.0a1b2c3d', 'mail/1.eml'],
  ...[
    'development-issuer-key.json',
    'postgres/password',
    'postgres/cluster/base/1',
    'postgres.0a1b2c3d/password',
  ],
];

describe('clearing', () => {
  test('deletes what is Latchkey’s, and the folder', async () => {
    await prepareDataFolder(folder);
    await write(...ours);
    expect(await clearDataFolder(folder)).toEqual([]);
    expect(await inspectDataFolder(folder)).toBe('ABSENT');
  });

  test('keeps and names everything else, wherever it is', async () => {
    await prepareDataFolder(folder);
    const mine = [
      'notes.txt',
      'mail/notes.txt',
      'postgres/backup.sql',
      'postgres.backup/dump',
      'cursor-secret.old',
    ];
    await write(...ours, ...mine);
    expect((await clearDataFolder(folder)).sort()).toEqual(
      ['cursor-secret.old', 'mail', 'notes.txt', 'postgres', 'postgres.backup'].map((name) =>
        join(folder, name),
      ),
    );
    expect(await filesIn(folder)).toEqual([...mine].sort());
  });

  test('follows no symbolic link out of the folder, and keeps a link to the folder', async () => {
    const elsewhere = join(place, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'thesis.txt'), 'years of work');
    await prepareDataFolder(folder);
    await mkdir(join(folder, 'postgres'));
    await symlink(elsewhere, join(folder, 'postgres/cluster'));
    const linked = join(place, 'linked');
    await symlink(folder, linked);
    expect(await clearDataFolder(linked)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
    expect((await lstat(linked)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(elsewhere, 'thesis.txt'), 'utf8')).toBe('years of work');
  });

  test('that was interrupted can be repeated', async () => {
    await prepareDataFolder(folder);
    await write('postgres/cluster/base/1');
    await rm(join(folder, 'postgres/cluster'), { recursive: true });
    expect(await inspectDataFolder(folder)).toBe('LATCHKEY');
    await clearDataFolder(folder);
    await write('gateway.lock');
    expect(await inspectDataFolder(folder)).toBe('EMPTY');
  });
});

describe('the secret', () => {
  test('is made once', async () => {
    const [one, other] = await Promise.all([keptCursorSecret(folder), keptCursorSecret(folder)]);
    expect(one).toMatch(/^[\w-]{43}$/);
    expect(other).toBe(one);
    expect(await filesIn(folder)).toEqual(['cursor-secret', 'latchkey-data.txt']);
  });

  test.each(['', 'short', '\u0000'.repeat(43)])(
    'that is garbled (%j) is reported, and kept',
    async (content) => {
      await prepareDataFolder(folder);
      await writeFile(join(folder, 'cursor-secret'), content);
      await expect(keptCursorSecret(folder)).rejects.toThrow(
        /^[^\n]*cursor-secret does not hold a secret: restore it, or delete it, [^\n]*$/,
      );
      expect(await readFile(join(folder, 'cursor-secret'), 'utf8')).toBe(content);
    },
  );
});
