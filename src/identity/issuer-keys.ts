/** The keys that an issuer publishes, kept and refreshed. */
import { setTimeout as wait } from 'node:timers/promises';
import { createLocalJWKSet, errors, type JWTHeaderParameters, type JWTVerifyGetKey } from 'jose';
import type { Logger } from '../platform/logger.ts';

/** The issuer's keys cannot be fetched now, so no token can be verified: neither accepted nor refused. */
export class IdentityUnavailableError extends Error {
  override readonly name = 'IdentityUnavailableError';
}

export type IssuerKeys = {
  /**
   * Resolves to the key that a token names. An unknown one is looked for in keys that are read after the call.
   * Rejects with `JWKSNoMatchingKey` when the issuer does not publish it, with `JWKSMultipleMatchingKeys` when the
   * token names none of several, and with {@link IdentityUnavailableError} when the issuer cannot be asked.
   */
  readonly find: JWTVerifyGetKey;
  /** Aborts a read; later calls to `find` reject with IdentityUnavailableError. */
  dispose(): void;
};

/** Milliseconds. */
export const defaultKeyTimes = {
  /** From one read of the keys to the next. A key that the issuer has withdrawn is accepted this long. */
  refreshAfter: 5 * 60_000,
  /** From a read that failed to the next one. */
  retryAfter: 30_000,
  /** How long keys are good after they were read, if the issuer cannot be asked again. */
  goodFor: 24 * 60 * 60_000,
  /** Between the beginnings of two reads, however many unknown keys tokens name. */
  betweenReads: 1_000,
  /** A key that was not published counts as unknown this long without another read. */
  unknownFor: 30_000,
  /** For the issuer's response. */
  responseWithin: 2_000,
} as const;

export type KeyTimes = { readonly [Name in keyof typeof defaultKeyTimes]: number };

/** At most so many names of unknown keys are remembered, each of at most so many characters. */
const rememberedNames = 1_000;
const maxNameCharacters = 200;

type Keys = { find: ReturnType<typeof createLocalJWKSet>; askedAt: number; readAt: number };

export type IssuerKeysOptions = {
  url: URL;
  times?: Partial<KeyTimes>;
  /** Told when the keys cannot be refreshed, and when they can again. */
  logger?: Pick<Logger, 'warn' | 'info'> | undefined;
};

/** Reads the keys when they are first needed, and then in the background. */
export function createIssuerKeys({ url, logger, ...options }: IssuerKeysOptions): IssuerKeys {
  const times: KeyTimes = { ...defaultKeyTimes, ...options.times };
  const disposed = new AbortController();
  const unknown = new Map<string, number>();
  const since = (moment: number) => performance.now() - moment;
  let keys: Keys | undefined;
  let reading: Promise<void> | undefined;
  let lastReadBegan = Number.NEGATIVE_INFINITY;
  let isAway = false;
  let timer: NodeJS.Timeout | undefined;

  const find: JWTVerifyGetKey = async (header, token) => {
    const arrivedAt = performance.now();
    for (;;) {
      if (disposed.signal.aborted) throw new IdentityUnavailableError('The gateway is stopping.');
      if (keys !== undefined && since(keys.readAt) <= times.goodFor) {
        const found = await unlessMissing(keys.find(header, token));
        if (found !== undefined) return found;
        const name = nameOf(header);
        const isFresh = keys.askedAt >= arrivedAt;
        if (isFresh) remember(name);
        if (isFresh || isRemembered(name)) throw new errors.JWKSNoMatchingKey();
      }
      await read();
    }
  };

  /** Joins the read that is under way, or begins one as soon as the time between two reads has passed. */
  function read(): Promise<void> {
    reading ??= pause(times.betweenReads - since(lastReadBegan))
      .then(fetchKeys)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  async function fetchKeys(): Promise<void> {
    lastReadBegan = performance.now();
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(times.responseWithin), disposed.signal]);
      keys = { find: await publishedKeys(url, signal), askedAt: lastReadBegan, readAt: performance.now() };
      if (isAway) logger?.info("The issuer's keys can be read again");
      isAway = false;
      schedule(times.refreshAfter);
    } catch (error) {
      if (!isAway && !disposed.signal.aborted)
        logger?.warn(
          { err: error },
          "The issuer's keys cannot be read; those read before stay good for a day",
        );
      isAway = true;
      schedule(times.retryAfter);
      throw new IdentityUnavailableError(
        `The identity provider's keys cannot be read from ${url.origin}${url.pathname}. Try again shortly.`,
        { cause: error },
      );
    }
  }

  function schedule(after: number): void {
    clearTimeout(timer);
    if (disposed.signal.aborted) return;
    timer = setTimeout(() => void read().catch(() => undefined), after);
    timer.unref();
  }

  async function pause(milliseconds: number): Promise<void> {
    if (milliseconds > 0)
      await wait(milliseconds, undefined, { signal: disposed.signal }).catch(() => undefined);
  }

  function isRemembered(name: string): boolean {
    const at = unknown.get(name);
    return at !== undefined && since(at) <= times.unknownFor;
  }

  function remember(name: string): void {
    if (name.length > maxNameCharacters) return;
    unknown.delete(name);
    unknown.set(name, performance.now());
    const [oldest] = unknown.keys();
    if (unknown.size > rememberedNames && oldest !== undefined) unknown.delete(oldest);
  }

  return {
    find,
    dispose: () => {
      disposed.abort();
      clearTimeout(timer);
    },
  };
}

function nameOf({ alg, kid }: JWTHeaderParameters): string {
  return `${alg} ${kid ?? ''}`;
}

/** Undefined when the keys have none that fits. */
async function unlessMissing<Key>(search: Promise<Key>): Promise<Key | undefined> {
  try {
    return await search;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined;
    if (error instanceof errors.JWKSMultipleMatchingKeys || error instanceof errors.JOSENotSupported)
      throw error;
    throw new IdentityUnavailableError("One of the identity provider's keys cannot be used.", {
      cause: error,
    });
  }
}

/** An empty set is an issuer that is out of order, not one that has withdrawn every key. */
async function publishedKeys(url: URL, signal: AbortSignal): Promise<Keys['find']> {
  const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'manual', signal });
  if (response.status !== 200)
    throw new Error(`The issuer's keys were answered with status ${response.status}`);
  const published = (await response.json()) as { keys?: unknown };
  if (Array.isArray(published.keys) && published.keys.length === 0)
    throw new Error('The issuer publishes no key');
  return createLocalJWKSet(published as Parameters<typeof createLocalJWKSet>[0]);
}
