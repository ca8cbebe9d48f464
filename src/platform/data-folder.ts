import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from './startup-error.ts';

/**
 * The contents of a data folder. The gateway never touches anything else in it.
 *
 * - `latchkey-data.txt`: the marker file that identifies a data folder
 * - `postgres/`: the embedded database's cluster and its password
 * - `cursor-secret`: the key that signs cursors if none is configured
 * - `development-issuer-key.json`: the key with which the development issuer signs tokens
 * - `mail/`: outgoing mail, written to files if no mail server is configured
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

/** Returns what is at the path: nothing, an empty folder, a data folder of Latchkey, or something else. */
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
 * Creates the data folder, or turns an empty folder into one.
 *
 * @throws StartupError if the folder holds something else or cannot be written
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

/** The path of the embedded database in the data folder. */
export function postgresFolder(folder: string): string {
  return join(folder, postgresFolderName);
}

/** The path of the development issuer's key in the data folder. */
export function developmentIssuerKeyFile(folder: string): string {
  return join(folder, developmentIssuerKeyName);
}

/** The path in the data folder where mail is written if no mail server is configured. */
export function mailFolder(folder: string): string {
  return join(folder, mailFolderName);
}

/**
 * Returns the secret in the data folder, and creates it at the first call: 32 random bytes in base64url, readable
 * only by the gateway's user. It is stored so that signed cursors stay valid after a restart.
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

/** Deletes Latchkey's files from the folder, and the folder itself if it holds nothing else. */
export async function clearDataFolder(folder: string): Promise<void> {
  const isOurs = (name: string): boolean =>
    contentNames.includes(name) ||
    // Left over from a first start that was killed.
    name.startsWith(`${postgresFolderName}.`);
  const names = await readdir(folder);
  // The marker file is deleted last, so that an interrupted call can be repeated.
  const ours = names.filter(isOurs).sort((a, b) => Number(a === markName) - Number(b === markName));
  for (const name of ours) await rm(join(folder, name), { recursive: true, force: true });
  if (ours.length === names.length) await rmdir(folder);
}

function unusable(folder: string, error: unknown): StartupError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartupError(
    `The data folder ${folder} cannot be used (${reason}): fix it, or set DATA_FOLDER to another folder.`,
    { cause: error },
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
