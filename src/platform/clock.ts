/**
 * Returns the current time, by the clock of the database: gateways and their machines may be wrong, and must not
 * disagree. Passed in wherever time matters, so that tests can set it.
 *
 * Given the time that a statement has just read from the database, returns it, and goes by it from then on. Without
 * one, returns what the database's clock shows now, to a few milliseconds.
 */
export type Clock = (read?: Date) => Date;

/** A read is late by the time that its statement took to answer, so the latest of them counts, for so long. */
const countsForMs = 5_000;

/** A clock that runs on from a time of the database that was just read. Steps of the machine's own clock do not move it. */
export function createDatabaseClock(firstRead: Date): Clock {
  let offset = firstRead.getTime() - performance.now();
  let setAt = performance.now();
  return (read) => {
    const elapsed = performance.now();
    if (read === undefined) return new Date(elapsed + offset);
    const readOffset = read.getTime() - elapsed;
    if (readOffset >= offset || elapsed - setAt > countsForMs) {
      offset = readOffset;
      setAt = elapsed;
    }
    return read;
  };
}
