/**
 * Ids of the events of one measurement: the same beginning for all of them, then the number of the event. So
 * a client finds the number by a look into the bytes, whatever server wrapped it in whatever text.
 */
import { newId } from '../../src/platform/ids.ts';

/** The beginning of ids that nothing else has. */
export function newSeries(): string {
  return newId().slice(0, numberAt);
}

const numberAt = 24;
const idLength = 36;

export function eventId(series: string, number: number): string {
  return series + number.toString(16).padStart(idLength - numberAt, '0');
}

/** The number of the event that is in the text, or -1 when none of the series is. */
export function eventNumber(series: Buffer, buffer: Buffer, start: number, end: number): number {
  const at = buffer.indexOf(series, start);
  if (at === -1 || at + idLength > end) return -1;
  return Number.parseInt(buffer.toString('latin1', at + numberAt, at + idLength), 16);
}
