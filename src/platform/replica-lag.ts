/**
 * How far a replica is behind, in time. PostgreSQL tells a replica's place in its log as a number of bytes, and when the last
 * transaction there was committed, which on a quiet primary is long ago. So a gateway notes at which moment the primary
 * was where: a replica that has come as far has everything that was committed before that moment. Pure.
 */

/** How far a server has come, in which history: another cluster, or one after a failover, has another one. */
export type Standing = { readonly history: string; readonly lsn: bigint };

export type Moments = {
  /** Notes where the primary was, at a moment or later. Moments increase. */
  note(moment: number, primary: Standing): void;
  /** The last noted moment before which whatever was committed is in a server that stands there. Null: none is known. */
  reachedBy(replica: Standing): number | null;
  /** Whether the primary is of this history, as far as it is known. */
  isOf(history: string): boolean;
};

/** @param keptMs for how long moments are kept: whoever is further behind is so by an unknown time */
export function createMoments(keptMs: number): Moments {
  let history = '';
  let noted: { readonly moment: number; readonly lsn: bigint }[] = [];
  return {
    note(moment, primary) {
      if (primary.history !== history) [history, noted] = [primary.history, []];
      noted = noted.filter((one) => moment - one.moment <= keptMs);
      noted.push({ moment, lsn: primary.lsn });
    },
    reachedBy(replica) {
      if (replica.history !== history) return null;
      return noted.findLast(({ lsn }) => lsn <= replica.lsn)?.moment ?? null;
    },
    isOf: (asked) => history === '' || asked === history,
  };
}

/** Reads a place in the log as PostgreSQL writes it: `16/B374D848`. */
export function parseLsn(text: string): bigint {
  const [, high = '', low = ''] = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text) ?? [];
  if (low === '') throw new Error(`${text} is no place in the log of PostgreSQL`);
  return BigInt(`0x${high}`) * 4_294_967_296n + BigInt(`0x${low}`);
}
