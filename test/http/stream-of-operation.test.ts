import { expect, test } from 'vitest';
import { RunningOperation } from '../../src/http/operation.ts';
import { streamOfOperation } from '../../src/http/stream-of-operation.ts';

/** A source that gives what it is fed, and records how it was left. */
function fed<T>() {
  const waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void }[] = [];
  const source = {
    returned: 0,
    give: (value: T) => waiting.shift()?.resolve({ value, done: false }),
    finish: () => waiting.shift()?.resolve({ value: undefined, done: true }),
    fail: (error: Error) => waiting.shift()?.reject(error),
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<T>>((resolve, reject) => waiting.push({ resolve, reject })),
      // Deaf, like a generator that is waiting: this settles never.
      return: () => {
        source.returned += 1;
        return new Promise<IteratorResult<T>>(() => {});
      },
    }),
  };
  return source;
}

function setUp({ lastWord }: { lastWord?: string } = {}) {
  const source = fed<string>();
  const operation = new RunningOperation('HTTP', { kind: 'ANONYMOUS' });
  const ends: string[] = [];
  const stream = streamOfOperation(source, operation, {
    lastWord: () => lastWord,
    onEnd: () => ends.push('end'),
  });
  return { source, operation, ends, stream };
}

const done = { value: undefined, done: true };

test('gives what the source gives, and ends with it', async () => {
  const { source, stream, ends } = setUp();
  const first = stream.next();
  source.give('a');
  expect(await first).toEqual({ value: 'a', done: false });
  const second = stream.next();
  source.finish();
  expect(await second).toEqual(done);
  expect(await stream.next()).toEqual(done);
  expect(ends).toEqual(['end']);
  expect(source.returned).toBe(0);
});

test('ends once, however many wait for its next', async () => {
  const { source, stream, ends } = setUp();
  const waiting = [stream.next(), stream.next()];
  source.finish();
  source.finish();
  expect(await Promise.all(waiting)).toEqual([done, done]);
  expect(ends).toEqual(['end']);
});

test('the end of the operation ends it at once, though its source waits and is deaf', async () => {
  const { source, operation, stream, ends } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(await next).toEqual(done);
  expect(source.returned).toBe(1);
  expect(ends).toEqual(['end']);
});

test('the last word comes once, to who waits', async () => {
  const { operation, stream } = setUp({ lastWord: 'bye' });
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(await next).toEqual({ value: 'bye', done: false });
  expect(await stream.next()).toEqual(done);
});

test('or to who asks next', async () => {
  const { operation, stream } = setUp({ lastWord: 'bye' });
  operation.end('CLIENT_GONE');
  expect(await stream.next()).toEqual({ value: 'bye', done: false });
  expect(await stream.next()).toEqual(done);
});

test('returning ends it at once, without a last word', async () => {
  const { source, operation, stream, ends } = setUp({ lastWord: 'bye' });
  const next = stream.next();
  expect(await stream.return?.()).toEqual(done);
  expect(await next).toEqual(done);
  operation.end('CLIENT_GONE');
  expect(await stream.next()).toEqual(done);
  expect(source.returned).toBe(1);
  expect(ends).toEqual(['end']);
});

test('what the source gives after the end is dropped', async () => {
  const { source, operation, stream } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  source.give('late');
  expect(await next).toEqual(done);
});

test('a failure of the source is passed on, and ends it: the source is told', async () => {
  const { source, stream, ends } = setUp();
  const next = stream.next();
  source.fail(new Error('broken'));
  await expect(next).rejects.toThrow('broken');
  expect(await stream.next()).toEqual(done);
  expect(ends).toEqual(['end']);
  expect(source.returned).toBe(1);
});

test('one whose operation was over before it began never begins', async () => {
  const source = fed<string>();
  const ends: string[] = [];
  const operation = new RunningOperation('HTTP', { kind: 'ANONYMOUS' });
  operation.end('CLIENT_GONE');
  const stream = streamOfOperation(source, operation, {
    lastWord: () => undefined,
    onEnd: () => ends.push('end'),
  });
  expect(await stream.next()).toEqual(done);
  expect(source.returned).toBe(1);
  expect(ends).toEqual(['end']);
});
