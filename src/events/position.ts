/**
 * A position in the event stream: it says exactly which events it includes. All other events come after it.
 *
 * Transactions commit in another order than they begin, so a single number cannot say what a reader has seen: an
 * event of an older transaction may become visible after an event of a younger one. A position therefore names
 * the transactions that were still open when it was taken. What they commit later comes after the position, and
 * no event that the position includes is read again.
 *
 * Its checksum names the history that it belongs to: it matches only in a database that has the events read last.
 */
export type Position = {
  /** No event of this transaction or of a later one is included. */
  readonly next: bigint;
  /** The transactions below `next` of which only some events, or none, are included; in ascending order. */
  readonly open: readonly OpenTransaction[];
  /** Absent if no event has been read, and in a cursor that an earlier version issued. */
  readonly checksum?: Checksum;
};

/**
 * A checksum of the events that a reader has read last. It says itself which events it covers, whatever the position
 * includes that it belongs to: those of the transactions `late`, and of the transactions from `from` on and below `to`.
 */
export type Checksum = {
  /** Transactions below `from` that were read after later ones, in any order. */
  readonly late: readonly bigint[];
  readonly from: bigint;
  readonly to: bigint;
  /** Of these transactions, events beyond `through` are not covered. In ascending order. */
  readonly except: readonly OpenTransaction[];
  /** The tags of all covered events, combined by exclusive or. */
  readonly value: bigint;
};

/** Of this transaction, the events up to `through`, itself too, are included. 0: none of them. */
export type OpenTransaction = { readonly txid: bigint; readonly through: bigint };

/** Where an event is in the stream: the transaction that wrote it, and its sequence number. Offsets are ordered. */
export type EventOffset = { readonly txid: bigint; readonly seq: bigint };

/** Includes no event. */
export const origin: Position = { next: 0n, open: [] };

/**
 * The position that includes everything a PostgreSQL snapshot sees.
 * @param text a `pg_snapshot`: `xmin:xmax:xip,xip…`
 */
export function positionOfSnapshot(text: string): Position {
  const [, xmax, open] = text.split(':');
  if (xmax === undefined || open === undefined) throw new TypeError(`Not a PostgreSQL snapshot: ${text}`);
  const txids = open === '' ? [] : open.split(',').map(BigInt);
  return { next: BigInt(xmax), open: txids.map((txid) => ({ txid, through: 0n })) };
}

/** Whether the position includes the event at this offset; otherwise the event comes after the position. */
export function includes(position: Position, offset: EventOffset): boolean {
  if (offset.txid >= position.next) return false;
  for (const { txid, through } of position.open) {
    if (txid === offset.txid) return offset.seq <= through;
    if (txid > offset.txid) break;
  }
  return true;
}

/** Whether `position` includes every event that `other` includes. */
export function covers(position: Position, other: Position): boolean {
  for (const { txid, through } of position.open) {
    if (through < includedThrough(other, txid)) return false;
  }
  if (position.next >= other.next) return true;
  const untouched = other.open.filter(({ txid, through }) => txid >= position.next && through === 0n);
  return BigInt(untouched.length) === other.next - position.next;
}

/**
 * The position that includes every event which one of the two includes; one of the two, if it covers the other.
 * @param other what was read last: its checksum counts
 */
export function union(one: Position, other: Position): Position {
  // Usually the second is the later one.
  if (covers(other, one)) return other;
  if (covers(one, other)) return one;
  const next = max(one.next, other.next);
  // In ascending order: a transaction that only `other` adds is not below `one.next`, since `one` includes all of it
  // otherwise.
  const open = new Map<bigint, OpenTransaction>();
  for (const { txid } of [...one.open, ...other.open]) {
    const through = max(includedThrough(one, txid), includedThrough(other, txid));
    if (through !== allEvents) open.set(txid, { txid, through });
  }
  return withChecksum(next, [...open.values()], other.checksum ?? one.checksum);
}

/**
 * The position of a reader that has read everything up to this event, the event too, which `snapshot` sees.
 * Later events that the snapshot sees come after it, and so does the rest of the event's transaction.
 */
export function positionAfterEvent(snapshot: Position, { txid, seq }: EventOffset): Position {
  const open = snapshot.open.filter((other) => other.txid < txid);
  return { next: txid + 1n, open: [...open, { txid, through: seq }] };
}

/** As `positionAfterEvent`, for the last event of a transaction. */
export function positionAfterTransaction(snapshot: Position, txid: bigint): Position {
  return { next: txid + 1n, open: snapshot.open.filter((other) => other.txid < txid) };
}

/** 48 bits of an event's id, all of them random. */
export function tagOf(eventId: string): bigint {
  return BigInt(`0x${eventId.slice(-12)}`);
}

/** A checksum names at most this many late transactions. The events of others are not covered. */
const maxLate = 64;

/**
 * The position `reached` of a reader that has come from the position `from` by reading one more event. Its checksum
 * covers the event, and what the checksum of `from` covers if that covers just what `from` includes. It is that of
 * `from` if it cannot cover the event: then it covers an earlier event of the same transaction.
 */
export function withEventRead(
  reached: Position,
  from: Position,
  { txid }: EventOffset,
  tag: bigint,
): Position {
  const { next, open } = reached;
  const before = isOfItsPosition(from) ? from.checksum : emptyAt(from.next);
  const isLate = txid < before.from && !before.late.includes(txid);
  // Of a transaction, a checksum covers all events that were read, or none.
  if (isLate && (before.late.length === maxLate || includedThrough(from, txid) > 0n)) {
    const known = isOfItsPosition(from) ? { ...from.checksum, to: next, except: open } : from.checksum;
    return withChecksum(next, open, known);
  }
  return {
    next,
    open,
    checksum: {
      late: isLate ? [...before.late, txid] : before.late,
      from: before.from === before.to && !isLate ? max(txid, before.from) : before.from,
      to: next,
      except: open,
      value: before.value ^ tag,
    },
  };
}

function emptyAt(next: bigint): Omit<Checksum, 'except'> {
  return { late: [], from: next, to: next, value: 0n };
}

/** Whether the checksum covers what the position includes of its transactions, no more and no less. */
export function isOfItsPosition(position: Position): position is Position & { checksum: Checksum } {
  const { next, open, checksum } = position;
  return checksum !== undefined && checksum.to === next && checksum.except === open;
}

/** Whether the checksum covers the event at this offset. */
export function isCovered({ late, from, to, except }: Checksum, offset: EventOffset): boolean {
  const { txid, seq } = offset;
  if (txid < from ? !late.includes(txid) : txid >= to) return false;
  return !except.some((open) => open.txid === txid && seq > open.through);
}

/** Of the transactions that the checksum covers, those of which it does not cover all events. */
export function exceptionsOf({ late, from, to, except }: Checksum): OpenTransaction[] {
  return except.filter(({ txid }) => (txid < from ? late.includes(txid) : txid < to));
}

/** The lowest transaction that the checksum covers. */
export function firstCovered({ late, from, to }: Checksum): bigint {
  return late.reduce(min, from < to ? from : to);
}

/** The same position. `withEventRead` replaces its checksum, and does not extend it. */
export function withChecksumComplete({ next, open, checksum }: Position): Position {
  return withChecksum(next, [...open], checksum);
}

/**
 * The position of a reader that has read everything which `snapshot` sees: transactions that have finished by then
 * have no more events to come, and are no longer named as open.
 */
export function withoutFinished(position: Position, snapshot: Position): Position {
  const stillOpen = new Set(snapshot.open.map(({ txid }) => txid));
  const open = position.open.filter(({ txid }) => stillOpen.has(txid));
  return open.length === position.open.length ? position : withOpen(position, open);
}

/** The position with other open transactions, by which it includes the same events. */
export function withOpen(position: Position, open: readonly OpenTransaction[]): Position {
  const { next, checksum } = position;
  return withChecksum(
    next,
    open,
    isOfItsPosition(position) ? { ...position.checksum, except: open } : checksum,
  );
}

/**
 * The position that also includes the events which a transaction has appended up to `seq`, without a read of the
 * table. Undefined if events may have been committed before them that `position` does not include: those have to be
 * read first. A transaction that was not visible to the appending statement counts as open.
 * @param snapshot what was visible to the statement that appended the events
 */
export function positionAfterAppended(
  position: Position,
  snapshot: Position,
  { txid, seq }: EventOffset,
  isLast: boolean,
): Position | undefined {
  if (txid - position.next > maxUnread || snapshot.next - position.next > maxUnread) return undefined;
  const unread = new Map(position.open.map((open) => [open.txid, open]));
  for (let other = position.next; other < max(txid, snapshot.next); other += 1n)
    unread.set(other, { txid: other, through: 0n });
  unread.delete(txid);
  for (const other of unread.keys()) if (isCommitted(snapshot, other)) return undefined;
  const next = max(position.next, txid + 1n);
  if (!isLast) unread.set(txid, { txid, through: seq });
  const open = [...unread.values()].filter((other) => other.txid < next);
  return { next, open: open.sort((one, other) => (one.txid < other.txid ? -1 : 1)) };
}

/** With more transactions than these between a position and an event, reading the table costs less. */
const maxUnread = 32n;

function isCommitted(snapshot: Position, txid: bigint): boolean {
  return txid < snapshot.next && !snapshot.open.some((open) => open.txid === txid);
}

/**
 * A position that names at most `limit` open transactions: `position` itself, or an earlier one, from which some
 * events are read again and none is missed. The earlier one has no checksum: that would name the transactions, too.
 */
export function withAtMostOpen(position: Position, limit: number): Position {
  const beyond = position.open[limit];
  return beyond === undefined ? position : { next: beyond.txid, open: position.open.slice(0, limit) };
}

/** Greater than any sequence number: every event of a transaction is included. */
const allEvents: bigint = 2n ** 64n;

/** The sequence number up to which the transaction's events are included; 0: none of them. */
function includedThrough(position: Position, txid: bigint): bigint {
  if (txid >= position.next) return 0n;
  return position.open.find((open) => open.txid === txid)?.through ?? allEvents;
}

function withChecksum(
  next: bigint,
  open: readonly OpenTransaction[],
  checksum: Checksum | undefined,
): Position {
  return checksum === undefined ? { next, open } : { next, open, checksum };
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
