/**
 * The keys with which the heads of logs are signed. All logs of a deployment share keys; each uses them under its own name, so
 * no head can pass for that of another log.
 */
import { parseSigningKey, parseVerifierKey, renamed, type Signer, type Verifier } from './signed-note.ts';

/** The most keys that a deployment has at a time. */
export const mostKeys = 8;

export type LogKeys = {
  /** What the names of all logs begin with: `support-access.vendor.example/audit/log`. */
  readonly name: string;
  /** Each of them signs every head. */
  readonly signers: readonly Signer[];
  /** Those, and the public keys that signed earlier heads. */
  readonly verifiers: readonly Verifier[];
};

/**
 * The keys of their texts: private keys sign, public ones are only published. All have one name, because a log whose name
 * changed would be another log. Null if that is not so, or none of them signs.
 */
export function readLogKeys(texts: readonly string[]): LogKeys | null {
  const signers = texts.flatMap((text) => parseSigningKey(text) ?? []);
  const retired = texts.flatMap((text) => parseVerifierKey(text) ?? []);
  const verifiers = [...signers, ...retired];
  const [{ name } = { name: '' }] = signers;
  const isWhole = verifiers.length === texts.length && texts.length <= mostKeys;
  const ids = new Set(verifiers.map(({ id }) => id));
  const isOneName = verifiers.every((key) => key.name === name) && ids.size === verifiers.length;
  return signers.length > 0 && isWhole && isOneName ? { name, signers, verifiers } : null;
}

/** The keys of one log, and its origin: C2SP tlog-checkpoint. */
export type KeysOfLog = {
  readonly origin: string;
  readonly signers: readonly Signer[];
  readonly verifiers: readonly Verifier[];
};

export function keysOfLog({ name, signers, verifiers }: LogKeys, log: string): KeysOfLog {
  const origin = `${name}/${log}`;
  return {
    origin,
    signers: signers.map((key) => renamed(key, origin)),
    verifiers: verifiers.map((key) => renamed(key, origin)),
  };
}
