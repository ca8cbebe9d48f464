/**
 * Cursors: positions as clients hold them. A cursor is opaque and signed, and is valid only for the viewer and the
 * subscription it was issued for.
 */
import { createHash, createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { GenerationalCache } from '../platform/generational-cache.ts';
import { ForeignCursorError, MalformedCursorError, OtherFilterCursorError } from './errors.ts';
import { type OpenTransaction, type Position, withAtMostOpen } from './position.ts';

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
  /** About 54 characters; more while many transactions are open, at most about 1,100. */
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
const version = 1;
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
    if (!isGenuine || bytes[0] !== version) throw new MalformedCursorError();
    const [viewerTag, streamTag] = this.#tags();
    if (!bytes.subarray(1, 1 + tagLength).equals(viewerTag)) throw new ForeignCursorError();
    if (!bytes.subarray(1 + tagLength).equals(streamTag)) throw new OtherFilterCursorError();
    return fromBytes(Buffer.from(position, 'base64url'));
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

/** Variable-length integers: `next`, then for each open transaction its distance below `next` and its `through`. */
function toBytes({ next, open }: Position): Buffer {
  const numbers = [next, ...open.flatMap(({ txid, through }) => [next - txid, through])];
  const bytes: number[] = [];
  for (let number of numbers) {
    for (; number > 127n; number >>= 7n) bytes.push(Number(number & 127n) | 128);
    bytes.push(Number(number));
  }
  return Buffer.from(bytes);
}

function fromBytes(bytes: Buffer): Position {
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
