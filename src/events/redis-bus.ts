import { backoffDelay } from '../platform/backoff.ts';
import { newId } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import { createAdaptiveThrottle } from './adaptive-throttle.ts';
import type { BusHealth, WakeBus } from './bus.ts';
import { openRedisLink, type RedisChannel, type RedisLink } from './redis-link.ts';

export type RedisBusOptions = RedisChannel & { logger: Logger };

/** Milliseconds between two heartbeats. After three that did not come back, the connections are replaced. */
const heartbeatInterval = 400;
const maxUnanswered = 3;

/** Milliseconds from one wake to the next under full load: one wake stands for every publication before it. */
const longestWakeGap = 33;

/**
 * A bus over Redis pub/sub.
 *
 * The gateway receives its own heartbeats through the channel, so a heartbeat that comes back proves that the whole
 * path works: publishing connection, server and subscription. When heartbeats stop coming back, for whatever reason
 * (server gone, network silent, subscription lost), the bus replaces the connections until they work again.
 */
export function createRedisBus({ logger, ...target }: RedisBusOptions): WakeBus {
  const self = newId();
  const listeners = new Set<() => void>();
  const disposal = new AbortController();
  let link: RedisLink | undefined;
  let health: BusHealth = { state: 'DOWN', since: new Date() };
  let failures = 0;
  let lastReason = '';
  let unanswered = 0;
  let timer: NodeJS.Timeout | undefined;
  const throttle = createAdaptiveThrottle({ longest: longestWakeGap });
  /** Publications since the last wake was sent. */
  let unsent = 0;
  /** The earliest moment of the next wake, and the timer until then if one is scheduled. */
  let nextWakeAt = 0;
  let wakeTimer: NodeJS.Timeout | undefined;
  /** The link on which a wake is in flight. Publications meanwhile are sent as one more wake after it. */
  let inFlight: RedisLink | undefined;

  const wake = (): void => {
    for (const listener of listeners) listener();
  };

  async function open(): Promise<void> {
    let current: RedisLink;
    try {
      current = await openRedisLink(target, onMessage, disposal.signal);
    } catch (error) {
      reconnectLater(error);
      return;
    }
    if (disposal.signal.aborted) {
      current.close();
      return;
    }
    link = current;
    void current.closed.then((reason) => replace(current, reason));
    failures = 0;
    unanswered = 0;
    timer = setInterval(() => sendHeartbeat(current), heartbeatInterval);
    setHealth('UP');
    wake();
    sendWhenDue();
  }

  function onMessage(message: string): void {
    if (message === `${self} alive`) unanswered = 0;
    else if (message.endsWith(' wake') && !message.startsWith(self)) wake();
  }

  function sendHeartbeat(current: RedisLink): void {
    if (unanswered >= maxUnanswered) {
      replace(current, new Error('Redis has stopped responding'));
      return;
    }
    unanswered += 1;
    current.publish(`${self} alive`).catch(() => undefined);
  }

  function replace(broken: RedisLink, reason: unknown): void {
    if (link !== broken) return;
    link = undefined;
    clearInterval(timer);
    broken.close();
    reconnectLater(reason);
  }

  function reconnectLater(reason: unknown): void {
    if (disposal.signal.aborted) return;
    logUnlessKnown(reason);
    setHealth('DOWN');
    failures += 1;
    const delay = backoffDelay(failures);
    // Half of the delay is random, so that gateways do not all connect at once.
    timer = setTimeout(
      () => {
        opening = open();
      },
      delay / 2 + Math.random() * (delay / 2),
    );
  }

  /** Logs a reason once. An attempt to reconnect may fail for another one: a server that is back refuses the password. */
  function logUnlessKnown(reason: unknown): void {
    const text = String(reason);
    if (failures > 0 && text === lastReason) return;
    lastReason = text;
    logger.warn({ err: reason }, 'Redis is unavailable: this gateway polls the database instead');
  }

  function setHealth(state: BusHealth['state']): void {
    if (health.state === state) return;
    health = { state, since: new Date() };
    if (state === 'UP') logger.info('Redis is available');
  }

  function publish(): void {
    unsent += 1;
    sendWhenDue();
  }

  /** Without a link, unsent publications wait for the next one. */
  function sendWhenDue(): void {
    if (link === undefined || link === inFlight || wakeTimer !== undefined || unsent === 0) return;
    const delay = nextWakeAt - performance.now();
    if (delay <= 0) send(link);
    else wakeTimer = setTimeout(onWakeTimer, delay);
  }

  function onWakeTimer(): void {
    wakeTimer = undefined;
    sendWhenDue();
  }

  function send(current: RedisLink): void {
    const sent = unsent;
    nextWakeAt = performance.now() + throttle.delayAfter(sent);
    unsent = 0;
    inFlight = current;
    const settle = (lost: number): void => {
      if (inFlight === current) inFlight = undefined;
      unsent += lost;
      if (lost > 0) nextWakeAt = performance.now() + heartbeatInterval;
      sendWhenDue();
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
      clearTimeout(wakeTimer);
      link?.close();
      link = undefined;
      setHealth('DOWN');
      listeners.clear();
      await opening;
    },
  };
}
