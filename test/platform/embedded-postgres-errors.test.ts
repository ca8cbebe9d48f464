import { expect, test } from 'vitest';
import {
  complaintsOf,
  doesNotStart,
  isNotCreated,
  reasonIn,
} from '../../src/platform/embedded-postgres-errors.ts';

function reasonOf(...lines: string[]): string {
  const said = complaintsOf();
  for (const line of lines) said.add(line);
  return said.reason();
}

test.each([
  [
    'the last fatal error with its detail',
    ['FATAL:  the first', 'LOG:  between', 'PANIC:  the last', 'DETAIL:  because', 'LOG:  after'],
    'PANIC:  the last DETAIL:  because',
  ],
  [
    'what is wrong in a configuration file',
    ['LOG:  syntax error in file "postgresql.conf" line 7', 'FATAL:  the file contains errors'],
    'LOG:  syntax error in file "postgresql.conf" line 7 FATAL:  the file contains errors',
  ],
  [
    'what another program says',
    ['LOG:  starting', 'postgres: could not find the database system', 'Expected to find it elsewhere'],
    'postgres: could not find the database system Expected to find it elsewhere',
  ],
  ['nothing', ['LOG:  starting'], 'it gave no reason'],
])('the reason of a server is %s', (_what, lines, reason) => {
  expect(reasonOf(...lines)).toBe(reason);
});

test('a server that has started has no complaint from before', () => {
  const said = complaintsOf();
  said.add('FATAL:  the database system is starting up');
  said.forget();
  expect(said.reason()).toBe('it gave no reason');
});

test('the reason of initdb is the line that says so, not the one about cleaning up', () => {
  const stderr =
    'initdb: error: could not write file "x": No space left on device\ninitdb: removing data directory "y"\n';
  const failed = Object.assign(new Error('Command failed'), { stderr });
  expect(reasonIn(failed)).toBe('initdb: error: could not write file "x": No space left on device');
  expect(reasonIn(Object.assign(new Error('Command failed'), { killed: true, stderr: '' }))).toBe(
    'it took too long',
  );
  expect(reasonIn(new Error('spawn ENOENT'))).toBe('spawn ENOENT');
});

test.each([
  [
    'FATAL:  could not write lock file "postmaster.pid": No space left on device',
    /free space .* data is intact/,
  ],
  [
    'PANIC:  could not write to file "pg_wal/xlogtemp.1": Disk quota exceeded',
    /free space .* data is intact/,
  ],
  ['FATAL:  could not open file "x": Permission denied', /let this user read and write .* data is intact/],
  [
    'FATAL:  could not open file "x": Read-only file system',
    /let this user read and write .* data is intact/,
  ],
  ['FATAL:  could not create shared memory segment: Cannot allocate memory', /too little .* data is intact/],
  ['FATAL:  could not load /data/postgres/cluster/pg_hba.conf', /correct that file.* data is intact/],
  ['FATAL:  database files are incompatible with server', /start the version .* data is intact/],
  ['PANIC:  could not locate a valid checkpoint record', /restore a backup/],
  ['FATAL:  invalid data in file "backup_label"', /restore a backup/],
  ['it gave no reason', /restore a backup/],
])('for %j nobody is told to delete data', (reason, remedy) => {
  for (const { message } of [
    doesNotStart('/data/postgres', reason),
    isNotCreated('/data/postgres', reason),
  ]) {
    expect(message).toMatch(/^[^\n]+\.$/);
    expect(message).toContain(`(${reason.replaceAll(/\s+/g, ' ')})`);
    expect(message).not.toContain('reset');
  }
  expect(doesNotStart('/data/postgres', reason).message).toMatch(remedy);
});
