/** Verifying without a server: what was sealed is proved, and what was changed afterwards is named by its first entry. */
import { describe, expect, test } from 'vitest';
import { type AuditRecord, leafOf } from '../../src/audit/record.ts';
import {
  createHeads,
  createProof,
  type Line,
  type Proved,
  parseLine,
} from '../../src/audit/verify-export.ts';
import { checkpointText } from '../../src/transparency/checkpoint.ts';
import { inclusionProofText } from '../../src/transparency/inclusion-proof.ts';
import {
  inclusionRanges,
  leafHash,
  type Range,
  rangeHash,
  rangesBeside,
} from '../../src/transparency/merkle-tree.ts';
import {
  newSigningKey,
  parseSigningKey,
  type Signer,
  signNote,
  type Verifier,
} from '../../src/transparency/signed-note.ts';
import { appendLeaves, emptyEdge, leavesOfTile, rootOf, tileWidth } from '../../src/transparency/tiles.ts';

const origin = 'log.example/audit/log/acme';
const key = parseSigningKey(newSigningKey(origin)) as Signer;

const recordAt = (position: number): AuditRecord => ({
  ...{ id: `id ${position}`, position, occurredAt: '2026-01-02T03:04:05.678Z', action: 'grant.approve' },
  ...{ outcome: 'SUCCEEDED', count: 1, actor: { kind: 'USER', name: 'Rita', email: 'rita@acme.example' } },
  ...{ resource: { type: 'Grant', id: 'G' }, grantId: position % 2 === 0 ? 'G' : 'H', details: { position } },
});

const most = 700;
const records = Array.from({ length: most }, (_, at) => recordAt(at + 1));
const leaves = records.map((record) => leafHash(leafOf(record)));

const hashOf = (range: Range) =>
  rangeHash(range, ({ level, index }) => {
    const covered = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level);
    return rootOf(appendLeaves(emptyEdge, covered).edge);
  });

function checkpoint(size: number, signer = key): string {
  const root = rootOf(appendLeaves(emptyEdge, leaves.slice(0, size)).edge);
  return signNote(checkpointText({ origin, size, root }), [signer]);
}

/** What a download has of these tiles, of a log of this size, in which these records are by now. */
function exported(size: number, tiles: readonly number[], present: readonly AuditRecord[] = records): Line[] {
  return [
    { checkpoint: checkpoint(size) },
    ...tiles.flatMap((index): Line[] => {
      const { start, end } = leavesOfTile(index, size);
      const path = rangesBeside({ start, end }, size).map((range) => hashOf(range).toString('base64'));
      const hashes = Buffer.concat(leaves.slice(start, end)).toString('base64');
      const inTile = present.filter(({ position }) => position > start && position <= end);
      return [{ tile: { index, hashes, path } }, ...inTile];
    }),
  ];
}

function proved(
  lines: readonly Line[],
  verifiers: readonly Verifier[] | null = [key],
  kept: string[] = [],
): Proved {
  const heads = createHeads(verifiers);
  const read = lines.map((line, at) => parseLine(JSON.stringify(line), at + 1));
  for (const note of kept) heads.add(note);
  for (const line of read) if ('checkpoint' in line) heads.add(line.checkpoint);
  const proof = createProof(heads.inOrder(), verifiers);
  for (const line of read) proof.read(line);
  return proof.end();
}

describe('what was sealed is proved', () => {
  test.each([1, 255, 256, 257, 512, 600])('a whole log of %i entries', (size) => {
    const tiles = Array.from({ length: Math.ceil(size / tileWidth) }, (_, at) => at);
    expect(proved(exported(size, tiles))).toMatchObject({
      entries: { first: 1, last: size },
      head: { size, origin },
    });
  });

  test('downloads that were put together, also of a log that has grown meanwhile', () => {
    const pages = [...exported(600, [0, 1]), ...exported(610, [2]), ...exported(700, [2])];
    expect(proved(pages).entries).toEqual({ first: 1, last: 700 });
    expect(proved(pages, [key], [checkpoint(300)]).entries).toEqual({ first: 1, last: 700 });
  });

  test('a part of a log, from a tile on', () => {
    expect(proved(exported(600, [1, 2])).entries).toEqual({ first: 257, last: 600 });
  });

  test('a stream of all entries with a head', () => {
    const lines = [...records.slice(0, 300), { checkpoint: checkpoint(300) }];
    expect(proved(lines).entries).toEqual({ first: 1, last: 300 });
  });

  test('some entries, each with its proof', () => {
    expect(proved(storyOf([2, 4, 600]))).toMatchObject({ entries: null, alone: 3, grant: { isWhole: true } });
    expect(proved(storyOf([2, 4, 600]), null).alone).toBe(3);
  });
});

function storyOf(positions: readonly number[], size = 600): Line[] {
  const note = checkpoint(size);
  return [
    { checkpoint: note },
    { grant: { id: 'G', entries: positions.length, isWhole: true } },
    ...positions.flatMap((position): Line[] => {
      const leaf = position - 1;
      const path = inclusionRanges(leaf, size).map(hashOf);
      return [recordAt(position), { inclusionProof: inclusionProofText({ leaf, path, checkpoint: note }) }];
    }),
  ];
}

/** The records as somebody has left them who renumbers what is left. */
const renumbered = (left: readonly AuditRecord[]) =>
  left.map((record, at) => ({ ...record, position: at + 1 }));
const altered = { ...recordAt(300), details: { position: 301 } };
const forged = { ...recordAt(300), action: 'grant.deny' };

describe('what was changed is named by its first entry', () => {
  test.each<[string, readonly AuditRecord[], string]>([
    ['altered', records.with(299, altered), 'Entry 300 was altered: grant.approve by rita@acme.example'],
    [
      'altered twice',
      records.with(299, altered).with(2, { ...recordAt(3), count: 2 }),
      'Entry 3 was altered',
    ],
    ['deleted', records.toSpliced(299, 1), 'Entry 300 is missing.'],
    ['deleted, and renumbered', renumbered(records.toSpliced(299, 1)), 'Entry 300 is missing.'],
    ['deleted from two on', records.toSpliced(299, 2), 'Entries 300 to 301 are missing.'],
    [
      'inserted',
      renumbered(records.toSpliced(299, 0, forged)),
      'An entry was inserted before entry 300: grant.deny',
    ],
    [
      'reordered',
      renumbered(records.with(299, recordAt(310)).with(309, recordAt(300))),
      'Entry 300 was reordered: at its place is the one that was sealed as entry 310',
    ],
    ['truncated', records.slice(0, 590), 'Entries 591 to 600 are missing.'],
    ['truncated by a whole tile', records.slice(0, 512), 'Entries 513 to 600 are missing.'],
    ['emptied', [], 'Entries 1 to 256 are missing.'],
  ])('%s', (_, present, said) => {
    expect(() => proved(exported(600, [0, 1, 2], present))).toThrow(said);
  });

  test('a file that ends before its head', () => {
    expect(() => proved(exported(600, [0, 1]))).toThrow('The entries from 513 on are missing');
    expect(() => proved(exported(600, [0, 2]))).toThrow('Entries 257 to 512 are missing.');
    expect(() => proved([{ checkpoint: checkpoint(600) }])).toThrow('Entries 1 to 600 are missing.');
    expect(() => proved([...records.slice(0, 300)])).toThrow('no signed head');
  });

  test('a log that was cut, and sealed again, is not the one of a head that somebody has kept', () => {
    expect(() => proved(exported(300, [0, 1]), [key], [checkpoint(600)])).toThrow(
      'entries from 301 on are missing',
    );
    const other = signNote(checkpointText({ origin, size: 200, root: leaves[0] as Buffer }), [key]);
    expect(() => proved(exported(300, [0, 1]), [key], [other])).toThrow(
      'The entries from 1 to 200 are not what',
    );
    const fork = signNote(checkpointText({ origin, size: 300, root: leaves[0] as Buffer }), [key]);
    expect(() => proved(exported(300, [0, 1]), [key], [fork])).toThrow('the log has two histories');
  });

  test('a stream without hashes names the entries between two heads', () => {
    const twice = [...records.slice(0, 300), recordAt(7), { checkpoint: checkpoint(300) }];
    expect(() => proved(twice)).toThrow('Entry 7 is not at its place: it comes after entry 300');
    expect(() => proved([...records.slice(0, 9), recordAt(11)])).toThrow('Entry 10 is missing.');
    const one = [
      ...records.slice(0, 300).with(249, { ...recordAt(250), count: 2 }),
      { checkpoint: checkpoint(200) },
    ];
    expect(() => proved([...one, { checkpoint: checkpoint(300) }])).toThrow(
      'The entries from 201 to 300 are not what',
    );
  });

  test('hashes that were made up do not lead to the signed root', () => {
    const lines = exported(600, [0, 1, 2]);
    const tile = lines.findIndex((line) => 'tile' in line && line.tile.index === 1);
    for (const made of [
      { index: 1, hashes: Buffer.concat(leaves.slice(0, 256)).toString('base64') },
      { index: 1, hashes: '' },
      { path: [] },
      { path: ['AAAA'] },
      { index: 9 },
    ]) {
      const forgedTile = { tile: { ...(lines[tile] as { tile: object }).tile, ...made } } as Line;
      expect(() => proved(lines.with(tile, forgedTile))).toThrow('are not what the signed head seals');
    }
  });

  test('a head of another key or another log, or one that was changed', () => {
    const stranger = parseSigningKey(newSigningKey(origin)) as Signer;
    expect(() => proved([{ checkpoint: checkpoint(1, stranger) }, recordAt(1)])).toThrow('cannot be trusted');
    const note = checkpoint(1).replace('\n1\n', '\n2\n');
    expect(() => proved([{ checkpoint: note }, ...records.slice(0, 2)])).toThrow('cannot be trusted');
    expect(() => proved([{ checkpoint: 'none' }])).toThrow('It is not a signed note.');
    const another = signNote(checkpointText({ origin: 'another', size: 1, root: leaves[0] as Buffer }), [
      key,
    ]);
    expect(() => proved([{ checkpoint: another }, ...exported(2, [0])])).toThrow('heads of two logs');
  });

  test('an entry of a story that was altered, is another grant’s, or was left out', () => {
    const story = storyOf([2, 4, 600]);
    const entry = story.findIndex((line) => 'position' in line && line.position === 4);
    expect(() => proved(story.with(entry, { ...recordAt(4), count: 2 }))).toThrow(
      'Entry 4 (grant.approve by rita@acme.example at 2026-01-02T03:04:05.678Z) cannot be trusted.',
    );
    expect(() => proved(story.with(entry, { ...recordAt(4), count: 2 }), null)).toThrow('cannot be trusted');
    expect(() => proved(storyOf([2, 3]))).toThrow('is not one of this grant');
    expect(() => proved(story.toSpliced(entry, 2))).toThrow(
      'should have 3 sealed entries of the grant, and has 2',
    );
    expect(() => proved([...storyOf([2], 500).slice(2), { checkpoint: checkpoint(600) }])).toThrow(
      'another head',
    );
    expect(() => proved([...story.slice(0, 2), ...story.slice(3)])).toThrow('a proof without an entry');
  });

  test.each(['', '[]', 'null', '7', '{}', '{"position":"1"}', 'not JSON'])(
    '%j is no line of such a file',
    (text) => {
      expect(() => parseLine(text, 3)).toThrow('Line 3 is not one of a file of an audit log.');
    },
  );
});
