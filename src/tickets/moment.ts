/**
 * When a ticket's status, engineer, summary or product was last set. The events of a ticketing system arrive in any order, so what is
 * older than the moment that the ticket remembers changes nothing. Pure functions.
 */

/** The time in UTC, then what orders moments of the same millisecond. Moments are compared as texts, in ASCII. */
export type Moment = string;

/** The moment of a change that was made in Latchkey. It is after the events of its millisecond. */
export function momentOf(at: Date): Moment {
  return `${at.toISOString()} ~`;
}

/**
 * The moment of an event: its time, then its number if the ticketing system numbers the events of a ticket, then its id.
 * No two events have the same.
 */
export function momentOfEvent(at: Date, sequence: number, webhookId: string): Moment {
  return `${at.toISOString()} ${String(sequence).padStart(16, '0')} ${webhookId}`;
}

/** Whether something else has been set since. */
export function isOlder(moment: Moment, remembered: Moment | null): boolean {
  return remembered !== null && moment < remembered;
}

export function laterOf(one: Moment, other: Moment | null): Moment {
  return other !== null && one < other ? other : one;
}
