import { expect, test } from 'vitest';
import { endWithOperation } from '../../src/http/engine/operation-stream.ts';
import { RunningOperation } from '../../src/http/running-operation.ts';

/** A source that the test controls. It counts the calls of its `return`. */
function createSource<T>() {
  const waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void }[] = [];
  const source = {
    returned: 0,
    give: (value: T) => waiting.shift()?.resolve({ value, done: false }),
    finish: () => waiting.shift()?.resolve({ value: undefined, done: true }),
    fail: (error: Error) => waiting.shift()?.reject(error),
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<T>>((resolve, reject) => waiting.push({ resolve, reject })),
      // Like a generator that waits for a promise: it never settles.
      return: () => {
        source.returned += 1;
        return new Promise<IteratorResult<T>>(() => {});
      },
    }),
  };
  return source;
}

function setUp({ finalValue }: { finalValue?: string } = {}) {
  const source = createSource<string>();
  const operation = new RunningOperation('HTTP', { kind: 'ANONYMOUS' });
  const ends: string[] = [];
  const stream = endWithOperation(source, operation, {
    finalValue: () => finalValue,
    onEnd: () => ends.push('end'),
  });
  return { source, operation, ends, stream };
}

const done = { value: undefined, done: true };

test('yields what the source yields, and ends with it', async () => {
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

test('ends once, however many calls of next are waiting', async () => {
  const { source, stream, ends } = setUp();
  const waiting = [stream.next(), stream.next()];
  source.finish();
  source.finish();
  expect(await Promise.all(waiting)).toEqual([done, done]);
  expect(ends).toEqual(['end']);
});

test('the end of the operation ends it at once, even if the `return` of its source never settles', async () => {
  const { source, operation, stream, ends } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  expect(await next).toEqual(done);
  expect(source.returned).toBe(1);
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
  expect(source.returned).toBe(1);
  expect(ends).toEqual(['end']);
});

test('what the source yields after the end is dropped', async () => {
  const { source, operation, stream } = setUp();
  const next = stream.next();
  operation.end('CLIENT_GONE');
  source.give('late');
  expect(await next).toEqual(done);
});

test('an error of the source is passed on and ends it, and the source is closed', async () => {
  const { source, stream, ends } = setUp();
  const next = stream.next();
  source.fail(new Error('broken'));
  await expect(next).rejects.toThrow('broken');
  expect(await stream.next()).toEqual(done);
  expect(ends).toEqual(['end']);
  expect(source.returned).toBe(1);
});

test('a stream whose operation had ended before never starts', async () => {
  const source = createSource<string>();
  const ends: string[] = [];
  const operation = new RunningOperation('HTTP', { kind: 'ANONYMOUS' });
  operation.end('CLIENT_GONE');
  const stream = endWithOperation(source, operation, {
    finalValue: () => undefined,
    onEnd: () => ends.push('end'),
  });
  expect(await stream.next()).toEqual(done);
  expect(source.returned).toBe(1);
  expect(ends).toEqual(['end']);
});
