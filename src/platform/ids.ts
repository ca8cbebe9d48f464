import { randomInt } from 'node:crypto';
import { v7, validate, version } from 'uuid';

/** Orders the ids of one process that have the same millisecond. */
let serial = randomInt(2 ** 31);

/**
 * Returns a new UUIDv7. UUIDv7s are ordered by the time they are made from, so lists can be paginated by id alone. What
 * is kept gets its id from the moment that is recorded of it, which is the database's: gateways with wrong clocks list it
 * in the right place.
 */
export function newId(at: Date = new Date()): string {
  serial = (serial + 1) >>> 0;
  return v7({ msecs: at.getTime(), seq: serial });
}

/** The id before which are all that were made earlier. */
export function firstIdAt(moment: Date): string {
  return v7({ msecs: moment.getTime(), seq: 0, random: new Uint8Array(16) });
}

/** Whether the text is a UUIDv7 in canonical form, as every id of Latchkey is. */
export function isId(text: string): boolean {
  return validate(text) && version(text) === 7 && text === text.toLowerCase();
}
