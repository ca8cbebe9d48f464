/**
 * Cursors: positions as clients hold them. A cursor is opaque and signed, and is valid only for the viewer and the
 * subscription it was issued for.
 */
import { createHash, createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { GenerationalCache } from '../platform/generational-cache.ts';
import { ForeignCursorError, MalformedCursorError, OtherFilterCursorError } from './errors.ts';
import {
  type Checksum,
  exceptionsOf,
  isOfItsPosition,
  type OpenTransaction,
  type Position,
  withAtMostOpen,
} from './position.ts';

/** What a cursor is valid for. */
export type CursorBinding = {
  /** The account it is issued to. */
  viewerId: string;
  /** The name of the subscription field. */
  stream: string;
  /** Its filter as the client gave it. Absent and `undefined` fields are equal; the order of keys does not matter. */
  filter: unknown;
};

/** The cursors of one subscription. */
export type Cursors = {
  /** About 70 characters; more while many transactions are open, at most about 2,000. */
  encode(position: Position): string;
  /**
   * @throws MalformedCursorError if the text is no cursor of this deployment
   * @throws ForeignCursorError if it was issued to another viewer
   * @throws OtherFilterCursorError if it was issued for another subscription or filter
   */
  decode(text: string): Position;
};

/** Returns the encoder and decoder for one subscription's cursors. */
export type CursorSigner = (binding: CursorBinding) => Cursors;

/*
 * A cursor is text in three parts: the head (version, tag of the viewer, tag of the subscription), the position,
 * and the signature of both. Each part is a whole number of base64url characters and is encoded on its own: for an
 * event with a thousand subscribers, the position is encoded once.
 */
const version = 2;
/** Its cursors have no checksum. They are still accepted. */
const versionWithoutChecksum = 1;
const tagLength = 7;
const headLength = (4 * (1 + 2 * tagLength)) / 3;
const signatureLength = 22;

/** A cursor names at most this many open transactions; with more, a resumption repeats some events. */
const maxOpenTransactions = 64;
/** Characters of a text that may be a cursor. */
const maxTextLength = 2048;

/**
 * Creates the signer of cursors. The first secret signs. The others are earlier secrets, whose cursors are still
 * accepted, so that a secret can be replaced while clients hold cursors.
 * @param secrets at least 16 characters each, the same on every gateway
 */
export function createCursorSigner(secrets: readonly [string, ...string[]]): CursorSigner {
  const [secret, ...earlier] = secrets;
  const key = secretKey(secret);
  const earlierKeys = earlier.map(secretKey);
  return (binding) => new SignedCursors(binding, key, earlierKeys);
}

function secretKey(secret: string): KeyObject {
  if (secret.length < 16) throw new TypeError('A cursor secret needs at least 16 characters');
  return createSecretKey(Buffer.from(secret));
}

/** Computes tags and keys at their first use: most subscriptions decode no cursor, and many encode none. */
class SignedCursors implements Cursors {
  readonly #binding: CursorBinding;
  readonly #secret: KeyObject;
  readonly #earlier: readonly KeyObject[];
  #head: string | undefined;
  #key: string | undefined;

  constructor(binding: CursorBinding, secret: KeyObject, earlier: readonly KeyObject[]) {
    this.#binding = binding;
    this.#secret = secret;
    this.#earlier = earlier;
  }

  encode(position: Position): string {
    this.#head ??= Buffer.concat([Buffer.of(version), ...this.#tags()]).toString('base64url');
    this.#key ??= keyFor(this.#secret, this.#head);
    const text = encodePosition(position);
    return this.#head + text + sign(this.#key, text);
  }

  decode(text: string): Position {
    // Before anything is computed: any client can send any text.
    if (text.length > maxTextLength) throw new MalformedCursorError();
    const head = text.slice(0, headLength);
    const position = text.slice(headLength, -signatureLength);
    const signature = text.slice(-signatureLength);
    const isGenuine = [this.#secret, ...this.#earlier].some((secret) =>
      areEqual(sign(keyFor(secret, head), position), signature),
    );
    const bytes = Buffer.from(head, 'base64url');
    const isKnown = bytes[0] === version || bytes[0] === versionWithoutChecksum;
    if (!isGenuine || !isKnown) throw new MalformedCursorError();
    const [viewerTag, streamTag] = this.#tags();
    if (!bytes.subarray(1, 1 + tagLength).equals(viewerTag)) throw new ForeignCursorError();
    if (!bytes.subarray(1 + tagLength).equals(streamTag)) throw new OtherFilterCursorError();
    const numbers = new Numbers(Buffer.from(position, 'base64url'));
    return bytes[0] === version ? readPosition(numbers) : readPositionWithoutChecksum(numbers);
  }

  #tags(): [viewer: Buffer, stream: Buffer] {
    const { viewerId, stream, filter } = this.#binding;
    return [tag(viewerId), tag(`${stream} ${canonical(filter)}`)];
  }
}

/** The key of one subscription's cursors: to sign with it costs a third of an HMAC. */
function keyFor(secret: KeyObject, head: string): string {
  return createHmac('sha256', secret).update(head).digest('base64url');
}

/** 132 bits. SHA-512/256 of key and text is a sound signature: unlike SHA-256, it allows no length extension. */
function sign(key: string, text: string): string {
  return hash('sha512-256', key + text, 'base64url').slice(0, signatureLength);
}

function areEqual(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function tag(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, tagLength);
}

/** The texts of the positions encoded last, for events with many subscribers. */
const texts = new GenerationalCache<Position, string>();
const maxTexts = 128;

function encodePosition(position: Position): string {
  const known = texts.get(position);
  if (known !== undefined) return known;
  const text = toBytes(withAtMostOpen(position, maxOpenTransactions)).toString('base64url');
  texts.set(position, text);
  if (texts.size > maxTexts) texts.rotate();
  return text;
}

/** The same text for the same filter, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

/**
 * Variable-length integers: `next` and the open transactions, then the checksum if there is one. Transactions are
 * written as distances below another number.
 */
function toBytes(position: Position): Buffer {
  const { next, open, checksum } = position;
  const numbers = [next, ...listOf(open, next)];
  if (checksum !== undefined) numbers.push(...numbersOf(checksum, isOfItsPosition(position)));
  const bytes: number[] = [];
  for (let number of numbers) {
    for (; number > 127n; number >>= 7n) bytes.push(Number(number & 127n) | 128);
    bytes.push(Number(number));
  }
  return Buffer.from(bytes);
}

/** Said before a checksum: it covers what the position includes, or it says itself what it covers. */
const checksumOfPosition = 1n;
const checksumOfAnother = 2n;

function numbersOf(checksum: Checksum, isOfPosition: boolean): bigint[] {
  const { late, from, to, value } = checksum;
  const covered = [to - from, BigInt(late.length), ...late.map((txid) => to - txid), value];
  if (isOfPosition) return [checksumOfPosition, ...covered];
  const exceptions = exceptionsOf(checksum);
  return exceptions.length > maxOpenTransactions
    ? []
    : [checksumOfAnother, to, ...listOf(exceptions, to), ...covered];
}

function listOf(open: readonly OpenTransaction[], below: bigint): bigint[] {
  return [BigInt(open.length), ...open.flatMap(({ txid, through }) => [below - txid, through])];
}

/** Reads the numbers of a cursor, one after the other. */
class Numbers {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get hasEnded(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws MalformedCursorError if there is no further number */
  next(): bigint {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new MalformedCursorError();
      this.#at += 1;
      number |= BigInt(byte & 127) << shift;
      if (byte <= 127) return number;
    }
  }

  /** A list that begins with its length. */
  list<Item>(item: () => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.next(); left > 0n; left -= 1n) items.push(item());
    return items;
  }

  open(below: bigint): OpenTransaction {
    return { txid: below - this.next(), through: this.next() };
  }
}

function readPosition(numbers: Numbers): Position {
  const next = numbers.next();
  const open = numbers.list(() => numbers.open(next));
  if (numbers.hasEnded) return { next, open };
  const checksum = readChecksum(numbers, next, open);
  if (!numbers.hasEnded) throw new MalformedCursorError();
  return { next, open, checksum };
}

function readChecksum(numbers: Numbers, next: bigint, open: readonly OpenTransaction[]): Checksum {
  const isOfAnother = numbers.next() === checksumOfAnother;
  const to = isOfAnother ? numbers.next() : next;
  const except = isOfAnother ? numbers.list(() => numbers.open(to)) : open;
  const from = to - numbers.next();
  const late = numbers.list(() => to - numbers.next());
  return { late, from, to, except, value: numbers.next() };
}

function readPositionWithoutChecksum(numbers: Numbers): Position {
  const next = numbers.next();
  const open: OpenTransaction[] = [];
  while (!numbers.hasEnded) open.push(numbers.open(next));
  return { next, open };
}
