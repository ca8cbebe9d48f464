/**
 * Cursors: positions as clients hold them. Opaque, signed, and of use only to the viewer and for the
 * subscription they were given for.
 */
import { createHash, createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { GenerationalCache } from '../platform/generational-cache.ts';
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

/*
 * A cursor is text in three parts: the version and whom and what it is for, the position, the signature of
 * both. Every part is a whole number of base64url characters, so that each is written on its own: for an
 * event that goes to a thousand subscribers, the position is written once.
 */
const version = 1;
const tagLength = 7;
const headLength = (4 * (1 + 2 * tagLength)) / 3;
const signatureLength = 22;

/** A cursor names at most so many open transactions; beyond that, resuming repeats some events. */
const mostOpen = 64;
const longestText = 2048;

/**
 * Makes and reads cursors. The first secret signs; the others, of before, are still accepted, so that a
 * secret can be replaced while clients hold cursors.
 * @param secrets at least 16 characters each, the same on every gateway
 */
export function createCursorSigner(secrets: readonly [string, ...string[]]): CursorSigner {
  const [secret, ...former] = secrets.map((text) => {
    if (text.length < 16) throw new TypeError('A cursor secret needs at least 16 characters');
    return createSecretKey(text, 'utf8');
  });
  if (secret === undefined) throw new TypeError('A cursor secret is needed');
  return (binding) => new SignedCursors(binding, secret, former);
}

/** Nothing is computed before it is needed: most subscriptions never read a cursor, and many give out none. */
class SignedCursors implements Cursors {
  readonly #binding: CursorBinding;
  readonly #secret: KeyObject;
  readonly #former: readonly KeyObject[];
  #head: string | undefined;
  #key: string | undefined;

  constructor(binding: CursorBinding, secret: KeyObject, former: readonly KeyObject[]) {
    this.#binding = binding;
    this.#secret = secret;
    this.#former = former;
  }

  encode(position: Position): string {
    this.#head ??= Buffer.concat([Buffer.of(version), ...this.#tags()]).toString('base64url');
    this.#key ??= keyFor(this.#secret, this.#head);
    const text = textOf(position);
    return this.#head + text + sign(this.#key, text);
  }

  decode(text: string): Position {
    const head = text.slice(0, headLength);
    const position = text.slice(headLength, -signatureLength);
    const signature = text.slice(-signatureLength);
    const isGenuine =
      text.length <= longestText &&
      [this.#secret, ...this.#former].some((one) => isSame(sign(keyFor(one, head), position), signature));
    const bytes = Buffer.from(head, 'base64url');
    if (!isGenuine || bytes[0] !== version) throw new MalformedCursorError();
    const [viewerTag, streamTag] = this.#tags();
    if (!bytes.subarray(1, 1 + tagLength).equals(viewerTag)) throw new ForeignCursorError();
    if (!bytes.subarray(1 + tagLength).equals(streamTag)) throw new OtherFilterCursorError();
    return readPosition(Buffer.from(position, 'base64url'));
  }

  #tags(): [viewer: Buffer, stream: Buffer] {
    const { viewerId, stream, filter } = this.#binding;
    return [tag(viewerId), tag(`${stream} ${canonical(filter)}`)];
  }
}

/** The key of one subscription's cursors: they are signed with it at a third of the cost of an HMAC each. */
function keyFor(secret: KeyObject, head: string): string {
  return createHmac('sha256', secret).update(head).digest('base64url');
}

/** 132 bits. SHA-512/256 of key and text is a sound signature: unlike SHA-256 it can not be extended. */
function sign(key: string, text: string): string {
  return hash('sha512-256', key + text, 'base64url').slice(0, signatureLength);
}

function isSame(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function tag(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, tagLength);
}

/** The positions written last, for events that go to many. */
const texts = new GenerationalCache<Position, string>();
const mostTexts = 128;

function textOf(position: Position): string {
  const known = texts.get(position);
  if (known !== undefined) return known;
  const text = writePosition(withAtMostOpen(position, mostOpen)).toString('base64url');
  texts.set(position, text);
  if (texts.size > mostTexts) texts.turn();
  return text;
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
