/** The proof that an entry is in a log, as one text: C2SP tlog-proof, https://c2sp.org/tlog-proof. */
import { type Checkpoint, decodeHash, openCheckpoint } from './checkpoint.ts';
import { type Hash, provesInclusion } from './merkle-tree.ts';
import { NoteError, type Verifier } from './signed-note.ts';

const firstLine = 'c2sp.org/tlog-proof@v1';

/** More hashes than the proof of any tree has. */
const maxHashes = 63;

export type InclusionProof = {
  /** Which leaf, counted from 0. */
  readonly leaf: number;
  readonly path: readonly Hash[];
  /** The signed checkpoint. */
  readonly checkpoint: string;
};

export function inclusionProofText({ leaf, path, checkpoint }: InclusionProof): string {
  const hashes = path.map((hash) => `${hash.toString('base64')}\n`);
  return `${firstLine}\nindex ${leaf}\n${hashes.join('')}\n${checkpoint}`;
}

/** @throws NoteError if it is no such text */
export function parseInclusionProof(text: string): InclusionProof {
  const [, index = '', hashes = '', checkpoint = ''] =
    /^c2sp\.org\/tlog-proof@v1\n(?:extra [A-Za-z0-9+/=]*\n)?index (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/=]+\n)*)\n(.*)$/s.exec(
      text,
    ) ?? [];
  const path = hashes.split('\n').slice(0, -1).map(decodeHash);
  const isWhole = index !== '' && path.length <= maxHashes && path.every((hash) => hash !== null);
  if (!isWhole) throw new NoteError('It is not a proof of a transparency log.');
  return { leaf: Number(index), path, checkpoint };
}

/**
 * The leaf and the head of a proof, once it has been verified that the head is signed and that the entry with the hash is in
 * its tree.
 *
 * @throws NoteError
 */
export function openInclusionProof(
  text: string,
  leafHash: Hash,
  verifiers: readonly Verifier[],
): { leaf: number; head: Checkpoint } {
  const { leaf, path, checkpoint } = parseInclusionProof(text);
  const head = openCheckpoint(checkpoint, verifiers);
  if (!provesInclusion({ leaf, leafHash, ...head }, path))
    throw new NoteError('The entry is not the one that is in the log at this place.');
  return { leaf, head };
}
