import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpointText, openCheckpoint, parseCheckpoint } from '../../src/transparency/checkpoint.ts';
import {
  inclusionProofText,
  openInclusionProof,
  parseInclusionProof,
} from '../../src/transparency/inclusion-proof.ts';
import { emptyRoot, leafHash, nodeHash } from '../../src/transparency/merkle-tree.ts';
import {
  NoteError,
  newSigningKey,
  openNote,
  parseSigningKey,
  parseVerifierKey,
  renamed,
  type Signer,
  signNote,
  type Verifier,
  verifierKey,
} from '../../src/transparency/signed-note.ts';

function verifier(text: string): Verifier {
  const parsed = parseVerifierKey(text);
  if (parsed === null) throw new Error(`${text} is no verifier key`);
  return parsed;
}

function signer(name: string): Signer {
  const parsed = parseSigningKey(newSigningKey(name));
  if (parsed === null) throw new Error(`${name} got no key`);
  return parsed;
}

describe('what others have signed', () => {
  test('the example of the specification', () => {
    const key = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
    const note =
      'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
    expect(openNote(note, [verifier(key)])).toBe('This is an example message.\n');
    expect(verifierKey(verifier(key))).toBe(key);
  });

  test('the key and the note of the documentation of golang.org/x/mod/sumdb/note', () => {
    const secret = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const signed = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    const key = parseSigningKey(secret) as Signer;
    expect(verifierKey(key)).toBe('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    expect(signNote(text, [key])).toBe(signed);
  });
});

const old = signer('log.example/audit');
const next = signer('log.example/audit');
const text = 'one\n\ntwo\n';

describe('a note', () => {
  test('is opened by whoever trusts one of its keys', () => {
    const note = signNote(text, [old, next]);
    expect(openNote(note, [old])).toBe(text);
    expect(openNote(note, [next])).toBe(text);
    expect(openNote(note, [signer('log.example/audit'), next])).toBe(text);
    expect(() => openNote(note, [signer('log.example/audit')])).toThrow(
      'not signed with a key that is trusted',
    );
    expect(() => openNote(note, [renamed(old, 'another.example')])).toThrow(NoteError);
  });

  test('is refused if one of its trusted signatures is wrong, or one letter is another', () => {
    const note = signNote(text, [old, next]);
    const [ofNext = ''] = signNote('other\n', [next]).split('\n').slice(-2);
    const mixed = `${signNote(text, [old])}${ofNext}\n`;
    expect(() => openNote(mixed, [old, next])).toThrow(
      'The signature of log.example/audit is not that of this text.',
    );
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.constantFrom('x', '\n', ' ', 'é'), (at, letter) => {
        const changed = note.slice(0, at) + letter + note.slice(at + 1);
        if (changed === note) return;
        // What belongs to another key may be anything.
        expect(() => {
          expect(openNote(changed, [old, next])).toBe(text);
          expect(changed.startsWith(`${text}\n`)).toBe(true);
        }).not.toThrow(expect.objectContaining({ name: 'AssertionError' }));
      }),
    );
  });

  test.each(['', '\n', 'text', 'text\n', 'text\n\n', 'text\n\n- name AAAA\n', 'a\u0001\n\n— a AAAAAAA=\n'])(
    '%j is none',
    (wrong) => {
      expect(() => openNote(wrong, [old])).toThrow(NoteError);
    },
  );
});

test.each([
  ...['', 'PRIVATE+KEY+a b+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'],
  // Another id, another kind of key, a key that is cut.
  'PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  'PRIVATE+KEY+PeterNeumann+c74f20a3+AoEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
  'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr',
  'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
])('%j is no signing key', (wrong) => {
  expect(parseSigningKey(wrong)).toBeNull();
});

test('a key has another id under another name', () => {
  const other = renamed(old, 'log.example/audit/7');
  expect(other.id).not.toBe(old.id);
  expect(openNote(signNote(text, [other]), [verifier(verifierKey(other))])).toBe(text);
});

const leaf = leafHash(Buffer.from('{"position":2}'));
const head = { origin: 'log.example/audit', size: 2, root: nodeHash(emptyRoot, leaf) };
const checkpoint = signNote(checkpointText(head), [old]);

describe('a checkpoint', () => {
  test('states the origin, the size and the root', () => {
    expect(openCheckpoint(checkpoint, [old])).toEqual(head);
    expect(checkpointText(head)).toBe(`log.example/audit\n2\n${head.root.toString('base64')}\n`);
    const specified = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
    expect(parseCheckpoint(specified)).toMatchObject({
      origin: 'example.com/behind-the-sofa',
      size: 20_852_163,
    });
    expect(parseCheckpoint(`${specified}an extension\n`).size).toBe(20_852_163);
  });

  test.each([
    'a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'a\n1\nCsUY\n',
    'a\n1\n',
    '\n1\n',
    'a\n-1\n',
  ])('%j is none', (wrong) => {
    expect(() => parseCheckpoint(wrong)).toThrow('It is not a checkpoint.');
  });
});

describe('a proof', () => {
  const proof = inclusionProofText({ leaf: 1, path: [emptyRoot], checkpoint });

  test('is one text that verifies by itself', () => {
    expect(proof).toBe(`c2sp.org/tlog-proof@v1\nindex 1\n${emptyRoot.toString('base64')}\n\n${checkpoint}`);
    expect(openInclusionProof(proof, leaf, [old])).toEqual({ leaf: 1, head });
    expect(parseInclusionProof(proof.replace('index', 'extra AAAA\nindex')).leaf).toBe(1);
  });

  test('is refused for another entry, another place, another head or another key', () => {
    expect(() => openInclusionProof(proof, emptyRoot, [old])).toThrow(
      'not the one that is in the log at this place',
    );
    expect(() => openInclusionProof(proof.replace('index 1', 'index 0'), leaf, [old])).toThrow(NoteError);
    expect(() => openInclusionProof(proof, leaf, [next])).toThrow(NoteError);
    expect(() => openInclusionProof(proof.replace('\n2\n', '\n3\n'), leaf, [old])).toThrow(NoteError);
  });

  test.each(['', 'c2sp.org/tlog-proof@v1\n', 'c2sp.org/tlog-proof@v1\nindex 01\n\n', 'index 1\n\n'])(
    '%j is none',
    (wrong) => {
      expect(() => parseInclusionProof(wrong)).toThrow('It is not a proof of a transparency log.');
    },
  );
});
