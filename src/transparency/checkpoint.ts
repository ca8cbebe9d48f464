/** The signed head of a log: C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint. */
import { hashBytes, type TreeHead } from './merkle-tree.ts';
import { NoteError, openNote, type Verifier } from './signed-note.ts';

/** The head of the log that its origin names. */
export type Checkpoint = TreeHead & { readonly origin: string };

/** The text that is signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** The head of a text as {@link checkpointText} makes it. Lines that follow are not read. @throws NoteError */
export function parseCheckpoint(text: string): Checkpoint {
  const [, origin = '', size = '', encoded = ''] =
    /^([^\n]+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*$/.exec(text) ?? [];
  const root = decodeHash(encoded);
  if (origin === '' || root === null || !Number.isSafeInteger(Number(size)))
    throw new NoteError('It is not a checkpoint.');
  return { origin, size: Number(size), root };
}

/** The head that a signed checkpoint states. @throws NoteError if no trusted key has signed it */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): Checkpoint {
  return parseCheckpoint(openNote(note, verifiers));
}

/** The hash of its base64; null if it is none. */
export function decodeHash(encoded: string): Buffer | null {
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length === hashBytes && bytes.toString('base64') === encoded ? bytes : null;
}
