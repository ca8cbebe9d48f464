import { newId } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import type { BusHealth, WakeBus } from './bus.ts';
import { createAllowance } from './pace.ts';
import { openRedisLink, type RedisLink, type RedisRoad } from './redis-link.ts';

export type RedisBusOptions = RedisRoad & { logger: Logger };

/** Milliseconds between two heartbeats; three unanswered ones are a loss. */
const heartbeat = 400;
const mostUnanswered = 3;

/** Milliseconds to wait before connecting again: the first time, and at most. Half of it is random. */
const firstRetry = 50;
const longestRetry = 1000;

/** Wakes in a row, and milliseconds from one to the next beyond them: a wake speaks for all before it. */
const wakes = { burst: 20, every: 5 };

/**
 * A bus over Redis pub/sub.
 *
 * The gateway hears its own heartbeats through the same channel, so a heartbeat that comes back proves the
 * whole way: publishing connection, server, subscription. When they stop coming, for whatever reason
 * (server gone, network silent, subscription forgotten), the connections are thrown away and new ones are
 * made, until it works again.
 */
export function createRedisBus({ logger, ...road }: RedisBusOptions): WakeBus {
  const self = newId();
  const listeners = new Set<() => void>();
  const disposal = new AbortController();
  let link: RedisLink | undefined;
  let health: BusHealth = { state: 'DOWN', since: new Date() };
  let failures = 0;
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;
  const allowance = createAllowance(wakes);
  let due: NodeJS.Timeout | undefined;
  let publication: 'NONE' | 'DUE' | 'UNDER_WAY' | 'UNDER_WAY_AND_ANOTHER' = 'NONE';

  const wake = (): void => {
    for (const listener of listeners) listener();
  };

  async function open(): Promise<void> {
    let current: RedisLink;
    try {
      current = await openRedisLink(road, hear, disposal.signal);
    } catch (error) {
      retry(error);
      return;
    }
    if (disposal.signal.aborted) {
      current.close();
      return;
    }
    link = current;
    void current.gone.then((reason) => lose(current, reason));
    failures = 0;
    unanswered = 0;
    publication = 'NONE';
    timer = setInterval(() => beat(current), heartbeat);
    setHealth('UP');
    wake();
  }

  function hear(message: string): void {
    if (message === `${self} alive`) unanswered = 0;
    else if (message.endsWith(' wake') && !message.startsWith(self)) wake();
  }

  function beat(current: RedisLink): void {
    if (unanswered >= mostUnanswered) {
      lose(current, new Error('Redis has fallen silent'));
      return;
    }
    unanswered += 1;
    current.publish(`${self} alive`).catch(() => undefined);
  }

  function lose(lost: RedisLink, reason: unknown): void {
    if (link !== lost) return;
    link = undefined;
    clearInterval(timer);
    lost.close();
    retry(reason);
  }

  function retry(reason: unknown): void {
    if (disposal.signal.aborted) return;
    if (failures === 0)
      logger.warn({ err: reason }, 'Redis is out of reach: gateways read the database instead');
    setHealth('DOWN');
    const delay = Math.min(firstRetry * 2 ** failures, longestRetry);
    failures += 1;
    timer = setTimeout(
      () => {
        opening = open();
      },
      delay / 2 + Math.random() * (delay / 2),
    );
  }

  function setHealth(state: BusHealth['state']): void {
    if (health.state === state) return;
    health = { state, since: new Date() };
    if (state === 'UP') logger.info('Redis is in reach');
  }

  /** One publication at a time: what is asked for meanwhile becomes one more after it. */
  function publish(): void {
    const current = link;
    if (current === undefined) return;
    if (publication === 'UNDER_WAY') publication = 'UNDER_WAY_AND_ANOTHER';
    if (publication !== 'NONE') return;
    const delay = allowance.take();
    publication = 'DUE';
    if (delay === 0) send(current);
    else due = setTimeout(send, delay, current);
  }

  function send(current: RedisLink): void {
    if (link !== current) return;
    publication = 'UNDER_WAY';
    const settle = (): void => {
      if (link !== current) return;
      const another = publication === 'UNDER_WAY_AND_ANOTHER';
      publication = 'NONE';
      if (another) publish();
    };
    current.publish(`${self} wake`).then(settle, settle);
  }

  let opening = open();

  return {
    publish,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    health: () => health,
    async dispose() {
      disposal.abort(new Error('The bus is closed'));
      clearTimeout(timer);
      clearTimeout(due);
      link?.close();
      link = undefined;
      setHealth('DOWN');
      listeners.clear();
      await opening;
    },
  };
}
