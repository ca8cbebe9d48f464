import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from './startup-error.ts';

/**
 * What a data folder holds. Nothing else in it is ever touched.
 *
 * - `latchkey-data.txt`: the mark by which a data folder is known
 * - `postgres/`: the embedded database's cluster and its password
 * - `cursor-secret`: the key with which cursors are signed, when none is configured
 * - `development-issuer-key.json`: the key with which the development issuer signs tokens
 * - `mail/`: mail that would be sent, when no mail server is configured
 */
const markName = 'latchkey-data.txt';
const markText = 'This folder holds the data of a Latchkey gateway. `npm run reset` clears it.\n';
const postgresFolderName = 'postgres';
const cursorSecretName = 'cursor-secret';
const developmentIssuerKeyName = 'development-issuer-key.json';
const mailFolderName = 'mail';
const contentNames = [
  markName,
  postgresFolderName,
  cursorSecretName,
  developmentIssuerKeyName,
  mailFolderName,
];

export type DataFolderContent = 'ABSENT' | 'EMPTY' | 'LATCHKEY' | 'FOREIGN';

/** What stands at the path: nothing, an empty folder, a gateway's data, or something that is not ours. */
export async function inspectDataFolder(folder: string): Promise<DataFolderContent> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'ABSENT';
    if (codeOf(error) === 'ENOTDIR') return 'FOREIGN';
    throw unusable(folder, error);
  }
  if (names.length === 0) return 'EMPTY';
  return names.includes(markName) ? 'LATCHKEY' : 'FOREIGN';
}

/**
 * Makes the folder a data folder of this gateway if it is absent or empty.
 * Throws a StartupError where it holds something else or cannot be written.
 */
export async function prepareDataFolder(folder: string): Promise<void> {
  const content = await inspectDataFolder(folder);
  if (content === 'FOREIGN') {
    throw new StartupError(
      `The data folder ${folder} is not one of Latchkey's: set DATA_FOLDER to a new or empty folder.`,
    );
  }
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, markName), markText);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Where the embedded database lives within the data folder. */
export function postgresFolder(folder: string): string {
  return join(folder, postgresFolderName);
}

/** Where the development issuer keeps its key within the data folder. */
export function developmentIssuerKeyFile(folder: string): string {
  return join(folder, developmentIssuerKeyName);
}

/** Where mail is written within the data folder when it cannot be sent. */
export function mailFolder(folder: string): string {
  return join(folder, mailFolderName);
}

/**
 * The secret kept in the data folder, made at the first call: 32 random bytes in base64url, readable by
 * the gateway's user alone. Signed cursors so survive a restart.
 */
export async function keptCursorSecret(folder: string): Promise<string> {
  const path = join(folder, cursorSecretName);
  try {
    await prepareDataFolder(folder);
    try {
      await writeFile(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const secret = await readFile(path, 'utf8');
    if (secret.length < 32) throw new Error(`${path} is too short`);
    return secret;
  } catch (error) {
    throw error instanceof StartupError ? error : unusable(folder, error);
  }
}

/** Removes everything of Latchkey's from the folder, and the folder itself if nothing else is in it. */
export async function clearDataFolder(folder: string): Promise<void> {
  const isOurs = (name: string): boolean =>
    contentNames.includes(name) ||
    // Left by a first start that was killed.
    name.startsWith(`${postgresFolderName}.`);
  const names = await readdir(folder);
  // The mark goes last, so that clearing can be repeated if it is cut short.
  const ours = names.filter(isOurs).sort((a, b) => Number(a === markName) - Number(b === markName));
  for (const name of ours) await rm(join(folder, name), { recursive: true, force: true });
  if (ours.length === names.length) await rmdir(folder);
}

function unusable(folder: string, error: unknown): StartupError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartupError(
    `The data folder ${folder} cannot be used (${reason}): mend it, or set DATA_FOLDER to another folder.`,
    { cause: error },
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
