import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StreamEnd } from '../../client/src/connection.ts';
import { firstRenewalMs, nextRenewalMs, runWithRenewals } from '../../client/src/renewal.ts';

describe('the first renewal of a token', () => {
  test.for([
    ['an hour', 3_600_000, 3_540_000, 3_570_000],
    ['three minutes', 180_000, 120_000, 150_000],
    ['nine seconds', 9_000, 6_000, 7_500],
  ] as const)(
    'of %s leaves a third of its time, a minute at most, less a random part of up to half',
    ([, remaining, earliest, latest]) => {
      expect(firstRenewalMs(remaining, () => 0)).toBe(earliest);
      expect(firstRenewalMs(remaining, () => 1)).toBe(latest);
    },
  );

  test('is left out if the token expires within a second, or has expired by the clock of the client', () => {
    for (const remaining of [999, 0, -60_000]) expect(firstRenewalMs(remaining)).toBeNull();
  });

  test('of a token that does not say when it expires is never due', () => {
    expect(firstRenewalMs(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});

test('the next attempts are at half of the remaining time, until it is less than a second', () => {
  const attempts: number[] = [];
  for (let remaining = 60_000, ms = nextRenewalMs(remaining); ms !== null; ms = nextRenewalMs(remaining)) {
    remaining -= ms;
    attempts.push(remaining);
  }
  expect(attempts).toEqual([30_000, 15_000, 7_500, 3_750, 1_875, 937.5]);
});

describe('a stream with a token', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const hour = 3_600_000;

  /** A JWT without a signature that expires at this time, in milliseconds. */
  const tokenUntil = (time: number) => `e30.${btoa(JSON.stringify({ exp: time / 1_000 }))}.`;

  /** A stream that the test starts and ends. It keeps when it was opened. */
  function streamWith(token: string) {
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<StreamEnd>();
    const stream = {
      token,
      openedAt: Date.now(),
      isClosed: false,
      started: started.promise,
      ended: ended.promise,
      start: () => started.resolve(),
      lose: () => ended.resolve({ by: 'the network' }),
      close() {
        stream.isClosed = true;
        ended.resolve('CLOSED');
      },
    };
    return stream;
  }

  type TestStream = ReturnType<typeof streamWith>;

  /** Runs a stream whose token expires in an hour. The test decides about the tokens and the streams that follow. */
  function run(getToken: () => Promise<string>) {
    const opened: TestStream[] = [streamWith(tokenUntil(hour))];
    const [first] = opened as [TestStream];
    const outcome = runWithRenewals(first, {
      getToken,
      open(token) {
        const stream = streamWith(token);
        opened.push(stream);
        return stream;
      },
    });
    return { opened, first, outcome };
  }

  test('is replaced before the token expires, and closed when the next one has started', async () => {
    const { opened, first, outcome } = run(async () => tokenUntil(2 * hour));
    await vi.advanceTimersByTimeAsync(hour - 1);
    const [, second] = opened;
    expect(second?.openedAt).toBeGreaterThanOrEqual(hour - 60_000);
    expect(first.isClosed).toBe(false);
    second?.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(first.isClosed).toBe(true);

    await vi.advanceTimersByTimeAsync(hour);
    const [, , third] = opened;
    expect(second?.isClosed).toBe(false);
    third?.lose();
    await vi.advanceTimersByTimeAsync(0);
    second?.lose();
    expect(await outcome).toMatchObject({ last: second, end: { by: 'the network' } });
  });

  test('continues when the next one fails, and it is tried again', async () => {
    const { opened, first, outcome } = run(async () => tokenUntil(2 * hour));
    await vi.advanceTimersByTimeAsync(hour - 25_000);
    opened[1]?.lose();
    await vi.advanceTimersByTimeAsync(25_000);
    expect(first.isClosed).toBe(false);
    opened[2]?.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(first.isClosed).toBe(true);
    opened[2]?.lose();
    expect((await outcome).last).toBe(opened[2]);
  });

  test.for<[string, () => Promise<string>]>([
    ['fails', () => Promise.reject(new Error('the issuer is away'))],
    ['returns the same token', async () => tokenUntil(hour)],
    ['returns an older token', async () => tokenUntil(hour - 1_000)],
  ])('continues while the token source %s, and asks it again', async ([, getToken]) => {
    let asked = 0;
    const { opened, first, outcome } = run(() => {
      asked += 1;
      return asked < 4 ? getToken() : Promise.resolve(tokenUntil(2 * hour));
    });
    await vi.advanceTimersByTimeAsync(hour);
    expect(opened).toHaveLength(2);
    expect(asked).toBe(4);
    expect(first.isClosed).toBe(false);
    first.lose();
    expect((await outcome).last).toBe(first);
  });

  test('that is lost during its replacement closes the next one', async () => {
    const { opened, first, outcome } = run(async () => tokenUntil(2 * hour));
    await vi.advanceTimersByTimeAsync(hour - 25_000);
    first.lose();
    expect((await outcome).last).toBe(first);
    await vi.advanceTimersByTimeAsync(0);
    expect(opened[1]?.isClosed).toBe(true);
  });

  test('is not replaced if the token does not say when it expires', async () => {
    const opened = streamWith('opaque');
    const getToken = () => Promise.reject(new Error('it is asked'));
    const outcome = runWithRenewals(opened, { getToken, open: () => opened });
    await vi.advanceTimersByTimeAsync(40 * 24 * hour);
    opened.lose();
    expect((await outcome).end).toEqual({ by: 'the network' });
  });
});
