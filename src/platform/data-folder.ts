import { randomBytes } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  rm,
  rmdir,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from './startup-error.ts';

/**
 * The contents of a data folder. The gateway never touches anything else in it. Only its user may enter it.
 *
 * - `latchkey-data.txt`: the marker file that identifies a data folder
 * - `gateway.lock`, `server.lock`: locked by the gateway that owns the folder, and by its PostgreSQL server
 * - `postgres/`: the embedded database's cluster and its password
 * - `cursor-secret`: the key that signs cursors if none is configured
 * - `audit-signing-key`: the key with which the heads of audit logs are signed if none is configured
 * - `development-issuer-key.json`: the key with which the development issuer signs tokens
 * - `mail/`: outgoing mail, written to files if no mail server is configured
 */
const markName = 'latchkey-data.txt';
const markText = 'This folder holds the data of a Latchkey gateway. `npm run reset` clears it.\n';
const gatewayLockName = 'gateway.lock';
const serverLockName = 'server.lock';
const postgresFolderName = 'postgres';
const clusterName = 'cluster';
const passwordName = 'password';
const cursorSecretName = 'cursor-secret';
const auditSigningKeyName = 'audit-signing-key';
const developmentIssuerKeyName = 'development-issuer-key.json';
const mailFolderName = 'mail';

/** Left over from a first start that was killed: `postgres.1a2b3c4d`. */
const draftName = /^(postgres|cursor-secret|audit-signing-key)\.[\da-f]{8}$/;
const mailName = /\.eml$/;

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
  // The lock is the last file that a reset deletes.
  if (names.every((name) => name === gatewayLockName)) return 'EMPTY';
  return names.includes(markName) ? 'LATCHKEY' : 'FOREIGN';
}

/**
 * Creates the data folder, or turns an empty folder into one. Takes every access to it and to the gateway's files in
 * it from other users.
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
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (content !== 'LATCHKEY') await writeFile(join(folder, markName), markText, { mode: 0o600 });
    await closeToOthers(folder);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** An earlier version left some of its files readable to everybody. */
async function closeToOthers(folder: string): Promise<void> {
  const mails = await readdir(mailFolder(folder)).catch(unlessAbsent([]));
  const paths = [
    ...[folder, mailFolder(folder), postgresFolder(folder)],
    ...[markName, cursorSecretName, auditSigningKeyName, developmentIssuerKeyName].map((name) =>
      join(folder, name),
    ),
    ...mails.filter((name) => mailName.test(name)).map((name) => join(mailFolder(folder), name)),
  ];
  for (const path of paths) {
    const { mode } = await stat(path).catch(unlessAbsent({ mode: 0 }));
    if ((mode & 0o077) !== 0) await chmod(path, mode & 0o700);
  }
}

/** The path of the embedded database in the data folder. */
export function postgresFolder(folder: string): string {
  return join(folder, postgresFolderName);
}

/** The paths of the cluster and its password in `postgresFolder`, or in a draft of it. */
export function clusterFolder(postgres: string): string {
  return join(postgres, clusterName);
}
export function passwordFile(postgres: string): string {
  return join(postgres, passwordName);
}

/** The files that are locked by the gateway that owns the data folder, and by its PostgreSQL server. */
export function gatewayLockFile(folder: string): string {
  return join(folder, gatewayLockName);
}
export function serverLockFile(folder: string): string {
  return join(folder, serverLockName);
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
 *
 * @throws StartupError if the folder cannot be used, or the file does not hold a secret
 */
export async function keptCursorSecret(folder: string): Promise<string> {
  const path = join(folder, cursorSecretName);
  const secret = await kept(folder, path, () => randomBytes(32).toString('base64url'));
  if (/^[\w-]{32,}$/.test(secret)) return secret;
  throw new StartupError(
    `${path} does not hold a secret: restore it, or delete it, and clients that resume start again.`,
  );
}

/**
 * Returns the text of the key in the data folder with which the heads of audit logs are signed, and keeps a new one at the first
 * call: readable only by the gateway's user. Heads that it has signed can be verified as long as it is there.
 *
 * @throws StartupError if the folder cannot be used, or the file does not hold what is accepted
 */
export async function keptAuditSigningKey(
  folder: string,
  create: () => string,
  isAccepted: (text: string) => boolean,
): Promise<string> {
  const path = join(folder, auditSigningKeyName);
  const key = await kept(folder, path, create);
  if (isAccepted(key)) return key;
  throw new StartupError(
    `${path} does not hold a key: restore it. Without it, the audit logs that it has sealed are not sealed any further.`,
  );
}

/** The content of a file in the data folder, which is created with a new one unless it is there. */
async function kept(folder: string, path: string, create: () => string): Promise<string> {
  try {
    await prepareDataFolder(folder);
    await createWhole(path, create());
    return await readFile(path, 'utf8');
  } catch (error) {
    throw error instanceof StartupError ? error : unusable(folder, error);
  }
}

/** Creates a file unless it exists. It is never there in part, even if the disk is full. */
async function createWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' });
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Deletes Latchkey's files from the folder, and the folder itself if it holds nothing else. Returns the names of what
 * it holds besides.
 */
export async function clearDataFolder(folder: string): Promise<string[]> {
  const home = postgresFolder(folder);
  const mail = mailFolder(folder);
  const [names, mails] = [await readdir(folder), await readdir(mail).catch(unlessAbsent([]))];
  const drafts = names.filter((name) => draftName.test(name)).map((name) => join(folder, name));
  for (const path of [clusterFolder(home), passwordFile(home), ...drafts])
    await rm(path, { recursive: true, force: true });
  for (const name of mails.filter((name) => mailName.test(name))) await rm(join(mail, name));
  for (const path of [home, mail]) await removeIfEmpty(path);
  // The marker after the rest, so that an interrupted call can be repeated; the lock last, so that nobody starts before.
  const secrets = [cursorSecretName, auditSigningKeyName, developmentIssuerKeyName];
  for (const name of [...secrets, serverLockName, markName, gatewayLockName])
    await rm(join(folder, name), { force: true });
  const others = await readdir(folder);
  // A folder that is only linked here, or mounted, stays.
  if (others.length === 0 && !(await lstat(folder)).isSymbolicLink()) await removeIfEmpty(folder);
  return others.map((name) => join(folder, name));
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    if ((await lstat(folder)).isSymbolicLink()) await unlink(folder);
    else await rmdir(folder);
  } catch (error) {
    const expected = ['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'EACCES', 'EPERM', 'EROFS'];
    if (!expected.includes(String(codeOf(error)))) throw error;
  }
}

/** The one path of a data folder, however it was named. */
export async function realDataFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    throw unusable(folder, error);
  }
}

function unusable(folder: string, error: unknown): StartupError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartupError(
    `The data folder ${folder} cannot be used (${reason}): fix it, or set DATA_FOLDER to another folder.`,
    { cause: error },
  );
}

/** Handles a rejection: the default for something that does not exist. */
function unlessAbsent<Default>(byDefault: Default): (error: unknown) => Default {
  return (error) => {
    if (codeOf(error) === 'ENOENT') return byDefault;
    throw error;
  };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
