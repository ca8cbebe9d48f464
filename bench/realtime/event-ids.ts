/**
 * Ids of the events of one measurement: a common prefix, then the number of the event. A client finds the number in the
 * bytes of a message, whichever server formatted it.
 */
import { newId } from '../../src/platform/ids.ts';

/** Returns a new unique prefix. */
export function newSeries(): string {
  return newId().slice(0, numberAt);
}

const numberAt = 24;
const idLength = 36;

export function eventId(series: string, number: number): string {
  return series + number.toString(16).padStart(idLength - numberAt, '0');
}

/** Returns the number of the event in the text, or -1 if the text contains no event of the series. */
export function eventNumber(series: Buffer, buffer: Buffer, start: number, end: number): number {
  const at = buffer.indexOf(series, start);
  if (at === -1 || at + idLength > end) return -1;
  return Number.parseInt(buffer.toString('latin1', at + numberAt, at + idLength), 16);
}
