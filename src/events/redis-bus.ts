import { newId } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import { createAdaptiveThrottle } from './adaptive-throttle.ts';
import type { BusHealth, WakeBus } from './bus.ts';
import { openRedisLink, type RedisLink, type RedisRoad } from './redis-link.ts';

export type RedisBusOptions = RedisRoad & { logger: Logger };

/** Milliseconds between two heartbeats; three unanswered ones are a loss. */
const heartbeat = 400;
const mostUnanswered = 3;

/** Milliseconds to wait before connecting again: the first time, and at most. Half of it is random. */
const firstRetry = 50;
const longestRetry = 1000;

/** Milliseconds from one wake to the next at least, under load: a wake speaks for all before it. */
const longestWakeGap = 33;

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
  const pace = createAdaptiveThrottle({ longest: longestWakeGap });
  /** Publications that no wake has spoken for yet. */
  let unsent = 0;
  /** When the next wake may be, and the timer until then if one is due. */
  let nextWakeAt = 0;
  let due: NodeJS.Timeout | undefined;
  /** The link on which a wake is under way: what is asked for meanwhile becomes one more after it. */
  let underWay: RedisLink | undefined;

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
    timer = setInterval(() => beat(current), heartbeat);
    setHealth('UP');
    wake();
    sendInTime();
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

  function publish(): void {
    unsent += 1;
    sendInTime();
  }

  /** Without a link, what is unsent is left for the next one. */
  function sendInTime(): void {
    if (link === undefined || link === underWay || due !== undefined || unsent === 0) return;
    const early = nextWakeAt - performance.now();
    if (early <= 0) send(link);
    else due = setTimeout(onDue, early);
  }

  function onDue(): void {
    due = undefined;
    sendInTime();
  }

  function send(current: RedisLink): void {
    const sent = unsent;
    nextWakeAt = performance.now() + pace.after(sent);
    unsent = 0;
    underWay = current;
    const settle = (lost: number): void => {
      if (underWay === current) underWay = undefined;
      unsent += lost;
      if (lost > 0) nextWakeAt = performance.now() + heartbeat;
      sendInTime();
    };
    current.publish(`${self} wake`).then(
      () => settle(0),
      () => settle(sent),
    );
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
