/**
 * `npm run audit:verify -- <file> [--key <key of the log>] [--checkpoint <file>]`: verifies what was downloaded of an audit log,
 * without a server. Ends with 0 if everything is proved, and with 1 otherwise, with the first entry that is not.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import {
  createHeads,
  createProof,
  type Line,
  NotProvedError,
  type Proved,
  parseLine,
} from './audit/verify-export.ts';
import { parseVerifierKey, type Verifier } from './transparency/signed-note.ts';

const usage =
  'Name the file: npm run audit:verify -- export.ndjson --key <a key of verifierKeys> [--checkpoint <a head that you have kept>]';

async function* linesOf(path: string): AsyncGenerator<Line> {
  let number = 0;
  for await (const text of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1;
    if (text.trim() !== '') yield parseLine(text, number);
  }
}

function readKey(text: string): Verifier {
  const key = parseVerifierKey(text);
  if (key === null)
    throw new NotProvedError(
      `--key must be one of verifierKeys, such as log.example/audit/log/…+1a2b3c4d+A…: ${text}`,
    );
  return key;
}

async function verify(path: string, keys: readonly string[], kept: readonly string[]): Promise<Proved> {
  const verifiers = keys.length === 0 ? null : keys.map(readKey);
  const heads = createHeads(verifiers);
  for (const file of kept) heads.add(await readFile(file, 'utf8'));
  for await (const line of linesOf(path)) if ('checkpoint' in line) heads.add(line.checkpoint);
  const proof = createProof(heads.inOrder(), verifiers);
  for await (const line of linesOf(path)) proof.read(line);
  return proof.end();
}

/** What is proved, and what is not, in sentences. */
function describe(proved: Proved, isSigned: boolean, hasKept: boolean): string[] {
  const { entries, removedThrough, notCompared, alone, grant, head } = proved;
  return [
    ...(entries === null
      ? []
      : [
          `Proved: entries ${entries.first} to ${entries.last} are as they were sealed, and none is missing.`,
        ]),
    ...(alone === 0
      ? []
      : [`Proved: ${alone} ${alone === 1 ? 'entry is' : 'entries are'} as sealed in the log.`]),
    ...(removedThrough === 0
      ? []
      : [
          `Removed: entries 1 to ${removedThrough}, which the organization does not keep any longer, as the file says. The head has their hashes.`,
        ]),
    ...notCompared.map(
      (size) => `Not compared: the head of ${size} entries. Some entries after it are removed.`,
    ),
    ...(grant?.removedThrough === undefined
      ? []
      : [
          `Not whole: entries of the grant are removed, up to entry ${grant.removedThrough} of the log, as the file says.`,
        ]),
    ...(grant === null || grant.isWhole || grant.removedThrough !== undefined
      ? []
      : ['Not whole: the grant has entries besides, in the next file or not sealed yet.']),
    `Head: ${head.size} entries of ${head.origin}.`,
    ...(entries !== null && entries.first > 1 && removedThrough === 0
      ? [
          `Not looked at: entries 1 to ${entries.first - 1}, which are not in the file${hasKept ? ', so the head that you have kept was not compared' : ''}.`,
        ]
      : []),
    ...(isSigned ? [] : ['Not verified: who has signed the head. Give the key of the log with --key.']),
  ];
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { key: { type: 'string', multiple: true }, checkpoint: { type: 'string', multiple: true } },
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new NotProvedError(usage);
  const { key = [], checkpoint = [] } = values;
  const proved = await verify(path, key, checkpoint);
  process.stdout.write(`${describe(proved, key.length > 0, checkpoint.length > 0).join('\n')}\n`);
} catch (error) {
  const isExpected = error instanceof NotProvedError || (error instanceof Error && 'code' in error);
  if (!isExpected) throw error;
  process.stderr.write(`${error instanceof NotProvedError ? 'NOT PROVED: ' : ''}${error.message}\n`);
  process.exitCode = 1;
}
