import { StartupError } from './startup-error.ts';

/** Collects what a server prints, and finds the reason why it ended. */
export function complaintsOf() {
  let lines: string[] = [];
  const isFatal = (line: string) => /^(FATAL|PANIC):/.test(line);
  return {
    add(line: string): void {
      lines = [...lines.slice(-linesKept), line];
    },
    /** For a server that has started: what it said before was no complaint. */
    forget(): void {
      lines = [];
    },
    /** The last fatal error with its detail, and what a configuration file has wrong; else what is no log entry. */
    reason(): string {
      const fatal = lines.findLastIndex(isFatal);
      if (fatal === -1) {
        return lines.filter((line) => !/^([A-Z]+: |\t)/.test(line)).join(' ') || 'it gave no reason';
      }
      const detail = lines[fatal + 1];
      return [
        ...lines
          .slice(0, fatal)
          .filter((line) => /syntax error|unrecognized|invalid (value|line)/.test(line)),
        lines[fatal],
        ...(detail?.startsWith('DETAIL') === true ? [detail] : []),
      ].join(' ');
    },
    isPortTaken: () => lines.some((line) => /could not bind|could not create any TCP\/IP sockets/.test(line)),
  };
}

const linesKept = 50;

/** Why a program failed, by what it printed: the line that says so, not the last one, which says what it cleaned up. */
export function reasonIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('killed' in error && error.killed === true) return 'it took too long';
  const said = 'stderr' in error ? String(error.stderr).trim().split('\n') : [];
  return said.find((line) => /error:|FATAL|PANIC|could not/.test(line)) ?? (said.at(-1) || error.message);
}

/** The remedy for a reason. Data is deleted only where the cluster, or the file that makes it one, is gone. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/No space left|ENOSPC|quota/i, 'free space on its disk and start again, the data is intact'],
  [
    /Permission denied|Read-only file system|Operation not permitted|EACCES|EPERM|EROFS/i,
    'let this user read and write the folder, the data is intact',
  ],
  [
    /shared memory|semaphore|allocate memory|too many open files|EMFILE|EAGAIN/i,
    'this machine has too little of that, the data is intact',
  ],
  [
    /incompatible|not compatible/i,
    'start the version of Latchkey that made it, or set DATA_FOLDER to another folder; the data is intact',
  ],
  [
    /configuration file|pg_hba|postgresql\.(auto\.)?conf/i,
    'correct that file, or restore it from a backup; the data is intact',
  ],
  [/password'?$/, 'restore that file from a backup of the folder; the data is intact'],
  [
    /could not (find the database system|access directory)/,
    'restore a backup of the folder; `npm run reset` deletes what is left of it',
  ],
];

/** The error for a cluster on which no server starts. */
export function doesNotStart(home: string, reason: string): StartupError {
  const line = oneLine(reason);
  const remedy =
    remedies.find(([pattern]) => pattern.test(line))?.[1] ??
    'restore a backup of the folder, or set DATA_FOLDER to another one';
  return new StartupError(`The embedded database in ${home} does not start (${line}): ${remedy}.`);
}

/** The error for a cluster that could not be created. */
export function isNotCreated(home: string, reason: string): StartupError {
  const line = oneLine(reason);
  const remedy = /No space left|ENOSPC|quota/i.test(line)
    ? 'free space on its disk and start again'
    : 'correct that and start again, or set DATABASE_URL';
  return new StartupError(`The embedded database in ${home} cannot be created (${line}): ${remedy}.`);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
