/**
 * A position in the stream: exactly which events lie behind it.
 *
 * Transactions commit in another order than they begin, so a single number can not say what was seen: an
 * event of an older transaction may appear after one of a younger. A position therefore names the
 * transactions that were still open when it was taken. Whatever they bring later lies ahead of it, and
 * nothing that lies behind it comes again.
 */
export type Position = {
  /** Everything of this transaction and of all later ones lies ahead. */
  readonly next: bigint;
  /** Transactions below `next` of which something may still lie ahead; ascending. */
  readonly open: readonly OpenTransaction[];
};

/** Of this transaction, the events up to and including `through` lie behind; 0: none of them. */
export type OpenTransaction = { readonly txid: bigint; readonly through: bigint };

/** The place of one event: the transaction that wrote it, and its number. Places order the stream. */
export type Place = { readonly txid: bigint; readonly seq: bigint };

/** Before the first event. */
export const origin: Position = { next: 0n, open: [] };

/**
 * The position behind everything a PostgreSQL snapshot sees.
 * @param text a `pg_snapshot`: `xmin:xmax:xip,xip…`
 */
export function positionOfSnapshot(text: string): Position {
  const [xmin, xmax, open] = text.split(':');
  if (xmin === undefined || xmax === undefined || open === undefined) {
    throw new TypeError(`Not a PostgreSQL snapshot: ${text}`);
  }
  const txids = open === '' ? [] : open.split(',').map(BigInt);
  return { next: BigInt(xmax), open: txids.map((txid) => ({ txid, through: 0n })) };
}

export function isBehind(position: Position, place: Place): boolean {
  if (place.txid >= position.next) return false;
  for (const { txid, through } of position.open) {
    if (txid === place.txid) return place.seq <= through;
    if (txid > place.txid) break;
  }
  return true;
}

/** Whether everything behind `other` lies behind `position` too. */
export function covers(position: Position, other: Position): boolean {
  for (const { txid, through } of position.open) {
    if (txid < other.next && through < reach(other, txid)) return false;
  }
  if (position.next >= other.next) return true;
  const untouched = other.open.filter(({ txid, through }) => txid >= position.next && through === 0n);
  return BigInt(untouched.length) === other.next - position.next;
}

/** The position behind which lies everything that is behind one of the two. */
export function union(one: Position, other: Position): Position {
  // The second is mostly the further one.
  if (covers(other, one)) return other;
  if (covers(one, other)) return one;
  const next = later(one.next, other.next);
  const open = new Map<bigint, OpenTransaction>();
  for (const { txid } of [...one.open, ...other.open]) {
    const through = later(reach(one, txid), reach(other, txid));
    if (through !== wholly) open.set(txid, { txid, through });
  }
  return { next, open: ascending(open.values()) };
}

/**
 * The position behind an event, for a reader that has read everything up to it which `snapshot` sees.
 * What the snapshot sees beyond the event stays ahead, and so does the rest of the event's transaction.
 */
export function positionAt(snapshot: Position, { txid, seq }: Place): Position {
  const open = snapshot.open.filter((other) => other.txid < txid);
  return { next: txid + 1n, open: [...open, { txid, through: seq }] };
}

/** The position behind the last event of a transaction; otherwise as `positionAt`. */
export function positionAfter(snapshot: Position, txid: bigint): Position {
  return { next: txid + 1n, open: snapshot.open.filter((other) => other.txid < txid) };
}

/**
 * The position of a reader that has read everything which `snapshot` sees: transactions that are over by
 * then have nothing ahead any more.
 */
export function settled(position: Position, snapshot: Position): Position {
  const stillOpen = new Set(snapshot.open.map(({ txid }) => txid));
  const open = position.open.filter(({ txid }) => stillOpen.has(txid));
  return open.length === position.open.length ? position : { next: position.next, open };
}

/**
 * A position that names at most so many open transactions: `position` itself, or one that lies before it,
 * from which some events come again and none is missed.
 */
export function withAtMostOpen(position: Position, limit: number): Position {
  const beyond = position.open[limit];
  return beyond === undefined ? position : { next: beyond.txid, open: position.open.slice(0, limit) };
}

/** More than any event's number: a transaction that lies behind as a whole. */
const wholly: bigint = 2n ** 64n;

function reach(position: Position, txid: bigint): bigint {
  if (txid >= position.next) return 0n;
  return position.open.find((open) => open.txid === txid)?.through ?? wholly;
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function ascending(open: Iterable<OpenTransaction>): OpenTransaction[] {
  return [...open].sort((one, other) => (one.txid < other.txid ? -1 : 1));
}
