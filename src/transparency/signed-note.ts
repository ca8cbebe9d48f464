/** Texts signed with Ed25519: C2SP signed-note, https://c2sp.org/signed-note. Keys have names; a note has a line for each signature. */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';

/** Verifies what the key of this name has signed. */
export type Verifier = { readonly name: string; readonly id: string; readonly publicKey: KeyObject };

export type Signer = Verifier & { readonly privateKey: KeyObject };

/** A note is not what it should be. The message says why, in plain words. */
export class NoteError extends Error {
  override readonly name = 'NoteError';
}

const ed25519 = Buffer.of(0x01);
const isName = (text: string): boolean => /^[^\s+]+$/u.test(text) && !/[\p{Z}\p{Cc}]/u.test(text);

/** What DER puts before the 32 bytes of a private and of a public key: RFC 8410. */
const privateDer = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicDer = Buffer.from('302a300506032b6570032100', 'hex');

/** The 32 bytes of a public key. */
const rawOf = (key: KeyObject): Buffer =>
  key.export({ format: 'der', type: 'spki' }).subarray(publicDer.length);

/** The id of a key, in hexadecimal: it depends on its name, so one key has other ids under other names. */
function idOf(name: string, publicKey: KeyObject): string {
  const named = Buffer.concat([Buffer.from(`${name}\n`), ed25519, rawOf(publicKey)]);
  return hash('sha256', named, 'hex').slice(0, 8);
}

function signerOf(name: string, seed: Buffer): Signer {
  const privateKey = createPrivateKey({
    key: Buffer.concat([privateDer, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(privateKey);
  return { name, id: idOf(name, publicKey), publicKey, privateKey };
}

/** The text of a new private key: `PRIVATE+KEY+<name>+<id>+<base64>`. */
export function newSigningKey(name: string): string {
  const seed = randomBytes(32);
  const encoded = Buffer.concat([ed25519, seed]).toString('base64');
  return `PRIVATE+KEY+${name}+${signerOf(name, seed).id}+${encoded}`;
}

/** The key of a text as {@link newSigningKey} makes it; null if it is none. */
export function parseSigningKey(text: string): Signer | null {
  const [, name = '', id = '', encoded = ''] =
    /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (!isName(name) || bytes.length !== 33 || bytes[0] !== 1) return null;
  const signer = signerOf(name, bytes.subarray(1));
  return signer.id === id ? signer : null;
}

/** The same key under another name. */
export function renamed<Key extends Verifier>(key: Key, name: string): Key {
  return { ...key, name, id: idOf(name, key.publicKey) };
}

/** The text that lets others verify: `<name>+<id>+<base64>`. */
export function verifierKey({ name, id, publicKey }: Verifier): string {
  return `${name}+${id}+${Buffer.concat([ed25519, rawOf(publicKey)]).toString('base64')}`;
}

/** The key of a text as {@link verifierKey} makes it; null if it is none. */
export function parseVerifierKey(text: string): Verifier | null {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (!isName(name) || bytes.length !== 33 || bytes[0] !== 1) return null;
  const publicKey = createPublicKey({
    key: Buffer.concat([publicDer, bytes.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
  return idOf(name, publicKey) === id ? { name, id, publicKey } : null;
}

/** The note of a text, which ends with a newline, with a signature of each key. */
export function signNote(text: string, signers: readonly Signer[]): string {
  const lines = signers.map(({ name, id, privateKey }) => {
    const signature = Buffer.concat([Buffer.from(id, 'hex'), sign(null, Buffer.from(text), privateKey)]);
    return `— ${name} ${signature.toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** Far more than a note of this kind has. Whoever verifies reads no more. */
const maxSignatures = 64;

type Signature = { readonly name: string; readonly id: string; readonly signature: Buffer };

/** The text of a note and its signatures, none of which is verified. @throws NoteError if it is none */
export function parseNote(note: string): { text: string; signatures: Signature[] } {
  const end = note.lastIndexOf('\n\n');
  const lines = note.slice(end + 2).split('\n');
  if (end === -1 || lines.pop() !== '' || lines.length > maxSignatures || /[^\P{Cc}\n]/u.test(note))
    throw new NoteError('It is not a signed note.');
  const signatures = lines.map((line) => {
    const [, name = '', encoded = ''] = /^— (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    const bytes = Buffer.from(encoded, 'base64');
    if (name === '' || bytes.length < 5) throw new NoteError('It is not a signed note.');
    return { name, id: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
  });
  return { text: note.slice(0, end + 1), signatures };
}

/**
 * The text of a note, once a signature of one of the keys has verified. Signatures of other keys are ignored.
 *
 * @throws NoteError if it is no note, a signature of one of the keys is wrong, or none of them has signed
 */
export function openNote(note: string, verifiers: readonly Verifier[]): string {
  const { text, signatures } = parseNote(note);
  let isSigned = false;
  for (const { name, id, signature } of signatures) {
    const known = verifiers.find((verifier) => verifier.name === name && verifier.id === id);
    if (known === undefined) continue;
    if (!verify(null, Buffer.from(text), known.publicKey, signature))
      throw new NoteError(`The signature of ${name} is not that of this text.`);
    isSigned = true;
  }
  if (!isSigned) throw new NoteError('It is not signed with a key that is trusted.');
  return text;
}
