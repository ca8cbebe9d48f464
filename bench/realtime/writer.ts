/** The process that writes: events at a rate or as fast as they go, and when each was sent and taken. */
import { setTimeout as wait } from 'node:timers/promises';
import { eventId } from './event-ids.ts';
import type { Addressed } from './events.ts';
import { moment } from './moment.ts';
import { obey } from './processes.ts';
import { committing, type Publisher } from './publishers/publisher.ts';
import type { Setting } from './servers/server.ts';
import { publishers, type ServerName } from './servers.ts';

export type Writing = {
  series: string;
  events: number;
  /** Event n goes to engineer n, counting round; or every event to the whole organization. */
  to: { engineers: readonly string[] } | { organization: string };
  /** Events a second, at moments left to chance; null: as fast as they go. */
  rate: number | null;
  /** Whether those that have come due in the meantime may go in one transaction. */
  mayBatch: boolean;
};

/** By event: the moment just before it was sent, and the one at which it was committed, or else taken by Redis. */
export type Written = { sentAt: Float64Array; takenAt: Float64Array };

type Opening = Setting & {
  server: ServerName;
  /** Whether events are committed before they are published also where nothing keeps them. */
  mustCommit: boolean;
};

let publisher: Publisher | undefined;

function opened(): Publisher {
  if (publisher === undefined) throw new TypeError('The writer has not been opened');
  return publisher;
}

async function write({ series, events, to, rate, mayBatch }: Writing): Promise<Written> {
  const { lanes, commit, publish } = opened();
  const sentAt = new Float64Array(events);
  const takenAt = new Float64Array(events);
  const due: number[] = [];
  let underWay = 0;
  const over = Promise.withResolvers<void>();
  let taken = 0;

  const address = (number: number): Addressed => ({
    id: eventId(series, number),
    to: 'organization' in to ? to : { engineers: [to.engineers[number % to.engineers.length] ?? ''] },
  });

  async function send(numbers: readonly number[]): Promise<void> {
    underWay += 1;
    const batch = numbers.map(address);
    sentAt.set(numbers.map(moment), numbers[0]);
    await (commit ?? publish)(batch);
    takenAt.set(numbers.map(moment), numbers[0]);
    if (commit !== undefined) await publish(batch);
    underWay -= 1;
    taken += numbers.length;
    if (taken === events) over.resolve();
    sendDue();
  }

  /** No more together than it takes to have everything under way. */
  function sendDue(): void {
    while (due.length > 0 && underWay < lanes) {
      const together = mayBatch ? Math.max(1, Math.ceil(due.length / lanes)) : 1;
      send(due.splice(0, together)).catch(over.reject);
    }
  }

  const begun = moment();
  let at = 0;
  for (let number = 0; number < events; number += 1) {
    due.push(number);
    if (rate === null) continue;
    sendDue();
    at += (-Math.log(1 - Math.random()) / rate) * 1_000;
    // Timers are whole milliseconds: what comes due within one goes together, on average at its time.
    const early = begun + at - moment();
    if (early >= 1) await wait(Math.round(early));
  }
  sendDue();
  await over.promise;
  return { sentAt, takenAt };
}

const handlers = {
  async open({ server, mustCommit, ...setting }: Opening): Promise<void> {
    const plain = await publishers[server](setting);
    publisher = mustCommit && plain.commit === undefined ? await committing(plain, setting) : plain;
  },
  write,
  /** One event, numbered, to these engineers; or to the organization. */
  async tell({ series, number, to }: { series: string; number: number; to: Addressed['to'] }): Promise<void> {
    const { commit, publish } = opened();
    const events = [{ id: eventId(series, number), to }];
    await commit?.(events);
    await publish(events);
  },
};

export type WriterHandlers = typeof handlers;

obey(handlers);
