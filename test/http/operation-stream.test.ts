import { expect, test } from 'vitest';
import type { Subscriber } from '../../src/events/subscriber.ts';
import { iterate } from '../../src/http/engine/operation-stream.ts';
import { RunningOperation } from '../../src/http/running-operation.ts';
import { noSource } from '../../src/platform/request-source.ts';

/** A source that the test controls. It counts the calls of its methods. */
function createSource() {
  let subscriber: Subscriber<string> | undefined;
  const source = {
    started: 0,
    ended: 0,
    start(given: Subscriber<string>) {
      source.started += 1;
      subscriber = given;
    },
    end() {
      source.ended += 1;
      subscriber?.onEnd();
    },
    give: (value: string) => subscriber?.onEvent(value),
    finish: (error?: Error) => subscriber?.onEnd(error),
  };
  return source;
}

const session = {
  claims: { issuer: 'issuer', subject: 'ada', email: null, expiresAt: new Date('9999-01-01') },
};

function setUp({ finalValue }: { finalValue?: string } = {}) {
  const source = createSource();
  const operation = new RunningOperation('HTTP', session, noSource);
  const ends: string[] = [];
  const stream = iterate(source, operation, { finalValue: () => finalValue, onEnd: () => ends.push('end') });
  return { source, operation, ends, stream };
}

const done = { value: undefined, done: true };

test('starts the source with the first call of next', () => {
  const { source, stream } = setUp();
  expect(source.started).toBe(0);
  void stream.next();
  void stream.next();
  expect(source.started).toBe(1);
});

test('yields what the source pushes, and ends with it', async () => {
  const { source, stream, ends } = setUp();
  const first = stream.next();
  source.give('a');
  expect(await first).toEqual({ value: 'a', done: false });
  const second = stream.next();
  source.finish();
  expect(await second).toEqual(done);
  expect(await stream.next()).toEqual(done);
  expect(ends).toEqual(['end']);
  expect(source.ended).toBe(0);
});

test('lets the source push only while a call of next waits', async () => {
  const { source, stream } = setUp();
  const [first, second] = [stream.next(), stream.next()];
  expect(source.give('a')).toBeUndefined();
  const pending = source.give('b');
  expect(await Promise.all([first, second])).toMatchObject([{ value: 'a' }, { value: 'b' }]);
  let mayPush = false;
  const waiting = pending?.then(() => {
    mayPush = true;
  });
  await new Promise(setImmediate);
  expect(mayPush).toBe(false);
  const third = stream.next();
  await waiting;
  source.give('c');
  expect(await third).toMatchObject({ value: 'c' });
});

test('ends once, however many calls of next are waiting', async () => {
  const { source, stream, ends } = setUp();
  const waiting = [stream.next(), stream.next()];
  source.finish();
  expect(await Promise.all(waiting)).toEqual([done, done]);
  expect(ends).toEqual(['end']);
});

test('the end of the operation ends it and its source at once', async () => {
  const { source, operation, stream, ends } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(await next).toEqual(done);
  expect(source.ended).toBe(1);
  expect(ends).toEqual(['end']);
});

test('the final value is yielded once, to the call that waits', async () => {
  const { operation, stream } = setUp({ finalValue: 'bye' });
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(await next).toEqual({ value: 'bye', done: false });
  expect(await stream.next()).toEqual(done);
});

test('the final value is yielded to the next call if none waits', async () => {
  const { operation, stream } = setUp({ finalValue: 'bye' });
  operation.end('CLIENT_GONE');
  expect(await stream.next()).toEqual({ value: 'bye', done: false });
  expect(await stream.next()).toEqual(done);
});

test('return ends it at once, without a final value', async () => {
  const { source, operation, stream, ends } = setUp({ finalValue: 'bye' });
  const next = stream.next();
  expect(await stream.return?.()).toEqual(done);
  expect(await next).toEqual(done);
  operation.end('CLIENT_GONE');
  expect(await stream.next()).toEqual(done);
  expect(source.ended).toBe(1);
  expect(ends).toEqual(['end']);
});

test('what the source pushes after the end is dropped', async () => {
  const { source, operation, stream } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(source.give('late')).toBeUndefined();
  expect(await next).toEqual(done);
  expect(await stream.next()).toEqual(done);
});

test('an error of the source is passed on once, and ends it', async () => {
  const { source, stream, ends } = setUp();
  const next = stream.next();
  source.finish(new Error('broken'));
  await expect(next).rejects.toThrow('broken');
  expect(await stream.next()).toEqual(done);
  expect(ends).toEqual(['end']);
  expect(source.ended).toBe(0);
});

test('an error while no call waits is passed on to the next call', async () => {
  const { source, stream } = setUp();
  const next = stream.next();
  source.give('a');
  await next;
  source.finish(new Error('broken'));
  await expect(stream.next()).rejects.toThrow('broken');
  expect(await stream.next()).toEqual(done);
});

test('a stream whose operation had ended before never starts', async () => {
  const source = createSource();
  const ends: string[] = [];
  const operation = new RunningOperation('HTTP', session, noSource);
  operation.end('CLIENT_GONE');
  const stream = iterate(source, operation, { finalValue: () => undefined, onEnd: () => ends.push('end') });
  expect(await stream.next()).toEqual(done);
  expect([source.started, source.ended]).toEqual([0, 0]);
  expect(ends).toEqual(['end']);
});
