/**
 * Cursors: positions as clients hold them. Opaque, signed, and of use only to the viewer and for the
 * subscription they were given for.
 */
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { ForeignCursorError, MalformedCursorError, OtherFilterCursorError } from './errors.ts';
import { type OpenTransaction, type Position, withAtMostOpen } from './position.ts';

/** What a cursor is good for. */
export type CursorBinding = {
  /** The account it is given to. */
  viewerId: string;
  /** The name of the subscription field. */
  stream: string;
  /** Its filter as the client gave it. Absent and `undefined` fields are the same; order of keys is none. */
  filter: unknown;
};

/** The cursors of one subscription. */
export type Cursors = {
  /** About 54 characters; longer while many transactions are open, at most about 1,100. */
  encode(position: Position): string;
  /**
   * Throws a MalformedCursorError for what is no cursor of this deployment, a ForeignCursorError for one of
   * another viewer, an OtherFilterCursorError for one of another subscription or filter.
   */
  decode(text: string): Position;
};

/** Makes the cursors of a subscription. */
export type CursorSigner = (binding: CursorBinding) => Cursors;

const version = 1;
const tagLength = 6;
const signatureLength = 16;
const headLength = 1 + 2 * tagLength;

/** A cursor names at most so many open transactions; beyond that, resuming repeats some events. */
const mostOpen = 64;
const longestText = 2048;

/**
 * Makes and reads cursors. The first secret signs; the others, of before, are still accepted, so that a
 * secret can be replaced while clients hold cursors.
 * @param secrets at least 16 characters each, the same on every gateway
 */
export function createCursorSigner(secrets: readonly [string, ...string[]]): CursorSigner {
  const keys = secrets.map((secret) => {
    if (secret.length < 16) throw new TypeError('A cursor secret needs at least 16 characters');
    return createSecretKey(secret, 'utf8');
  });
  return ({ viewerId, stream, filter }) => {
    const viewerTag = tag(viewerId);
    const streamTag = tag(`${stream} ${canonical(filter)}`);
    return {
      encode: (position) => {
        const signed = Buffer.concat([
          Buffer.of(version),
          viewerTag,
          streamTag,
          writePosition(withAtMostOpen(position, mostOpen)),
        ]);
        return Buffer.concat([signed, sign(keys[0], signed)]).toString('base64url');
      },
      decode: (text) => {
        const signed = verified(keys, text);
        if (!signed.subarray(1, 1 + tagLength).equals(viewerTag)) throw new ForeignCursorError();
        if (!signed.subarray(1 + tagLength, headLength).equals(streamTag)) throw new OtherFilterCursorError();
        return readPosition(signed.subarray(headLength));
      },
    };
  };
}

function verified(keys: readonly KeyObject[], text: string): Buffer {
  if (text.length > longestText) throw new MalformedCursorError();
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text || bytes.length <= headLength + signatureLength) {
    throw new MalformedCursorError();
  }
  const signed = bytes.subarray(0, -signatureLength);
  const signature = bytes.subarray(-signatureLength);
  const genuine = keys.some((key) => timingSafeEqual(sign(key, signed), signature));
  if (!genuine || signed[0] !== version) throw new MalformedCursorError();
  return signed;
}

function sign(key: KeyObject | undefined, bytes: Buffer): Buffer {
  if (key === undefined) throw new TypeError('A cursor secret is needed');
  return createHmac('sha256', key).update(bytes).digest().subarray(0, signatureLength);
}

function tag(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, tagLength);
}

/** The same text for the same filter, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) && !(part instanceof Date)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

/** `next`, then every open transaction as its distance below `next` and how far it was read. */
function writePosition({ next, open }: Position): Buffer {
  const numbers = [next, ...open.flatMap(({ txid, through }) => [next - txid, through])];
  const bytes: number[] = [];
  for (let number of numbers) {
    for (; number > 127n; number >>= 7n) bytes.push(Number(number & 127n) | 128);
    bytes.push(Number(number));
  }
  return Buffer.from(bytes);
}

function readPosition(bytes: Buffer): Position {
  const numbers: bigint[] = [];
  let number = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    number |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte > 127) continue;
    numbers.push(number);
    number = 0n;
    shift = 0n;
  }
  const [next, ...rest] = numbers;
  if (next === undefined || rest.length % 2 !== 0) throw new MalformedCursorError();
  const open: OpenTransaction[] = [];
  for (let at = 0; at < rest.length; at += 2) {
    open.push({ txid: next - (rest[at] ?? 0n), through: rest[at + 1] ?? 0n });
  }
  return { next, open };
}
