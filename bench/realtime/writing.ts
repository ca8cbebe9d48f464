/** Writes events, at a rate or as fast as possible, and records when each was sent and accepted. */
import { setTimeout as wait } from 'node:timers/promises';
import { now } from './clock.ts';
import { eventId } from './event-ids.ts';
import type { Addressed } from './events.ts';
import type { Publisher } from './publishers/publisher.ts';
import type { Setting } from './servers/server.ts';
import type { ServerName } from './servers.ts';

export type Writing = {
  series: string;
  events: number;
  /** Event n goes to engineer n modulo the number of engineers, or every event goes to the organization. */
  to: { engineers: readonly string[] } | { organization: string };
  /** Events per second, at random times. Null: as fast as possible. */
  rate: number | null;
  /** Whether events that became due in the meantime may be written in one transaction. */
  mayBatch: boolean;
};

/** For each event: when it was sent, and when it was committed, or accepted by Redis if nothing is committed. */
export type Written = { sentAt: Float64Array; acceptedAt: Float64Array };

export type Opening = Setting & {
  server: ServerName;
  /** Whether events are committed before they are published, even for servers that do not store them. */
  mustCommit: boolean;
};

/** Creates the request handlers of a process that writes events. */
export function createWriter(openPublisher: (opening: Opening) => Promise<Publisher>) {
  let publisher: Publisher | undefined;

  function opened(): Publisher {
    if (publisher === undefined) throw new TypeError('The writer has not been opened');
    return publisher;
  }

  async function write({ series, events, to, rate, mayBatch }: Writing): Promise<Written> {
    const { concurrency, commit, publish } = opened();
    const sentAt = new Float64Array(events);
    const acceptedAt = new Float64Array(events);
    const due: number[] = [];
    let inFlight = 0;
    const over = Promise.withResolvers<void>();
    let taken = 0;

    const address = (number: number): Addressed => ({
      id: eventId(series, number),
      to: 'organization' in to ? to : { engineers: [to.engineers[number % to.engineers.length] ?? ''] },
    });

    async function send(numbers: readonly number[]): Promise<void> {
      inFlight += 1;
      const batch = numbers.map(address);
      sentAt.set(numbers.map(now), numbers[0]);
      const committed = await commit?.(batch);
      if (commit === undefined) await publish(batch, null);
      acceptedAt.set(numbers.map(now), numbers[0]);
      if (commit !== undefined) await publish(batch, committed);
      inFlight -= 1;
      taken += numbers.length;
      if (taken === events) over.resolve();
      sendDue();
    }

    /** Sends the events that are due, in batches no larger than needed to send all of them concurrently. */
    function sendDue(): void {
      while (due.length > 0 && inFlight < concurrency) {
        const together = mayBatch ? Math.max(1, Math.ceil(due.length / concurrency)) : 1;
        send(due.splice(0, together)).catch(over.reject);
      }
    }

    const begun = now();
    let at = 0;
    for (let number = 0; number < events; number += 1) {
      due.push(number);
      if (rate === null) continue;
      sendDue();
      at += (-Math.log(1 - Math.random()) / rate) * 1_000;
      // Timers have a resolution of one millisecond: events due in the same one are sent together, on average on time.
      const early = begun + at - now();
      if (early >= 1) await wait(Math.round(early));
    }
    sendDue();
    await over.promise;
    return { sentAt, acceptedAt };
  }

  return {
    async open(opening: Opening): Promise<void> {
      publisher = await openPublisher(opening);
    },
    write,
    /** Sends one numbered event to these engineers, or to the organization. */
    async send({
      series,
      number,
      to,
    }: {
      series: string;
      number: number;
      to: Addressed['to'];
    }): Promise<void> {
      const { commit, publish } = opened();
      const events = [{ id: eventId(series, number), to }];
      await publish(events, await commit?.(events));
    },
  };
}

export type WriterHandlers = ReturnType<typeof createWriter>;
