import { expect, test } from 'vitest';
import { shareReads } from '../../src/platform/shared-reads.ts';

/** Reads that the test ends one by one. */
function controlled() {
  const begun: { key: string; end: (result: string) => void; fail: (error: Error) => void }[] = [];
  const read = shareReads(
    (key: string) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      begun.push({ key, end: resolve, fail: reject });
      return promise;
    },
    (key) => key,
  );
  return { begun, read };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('calls during a read share the next one, never the one that runs', async () => {
  const { begun, read } = controlled();
  const first = read('a');
  const later = [read('a'), read('a'), read('a')];
  expect(begun).toHaveLength(1);
  begun[0]?.end('old');
  expect(await first).toBe('old');
  await settled();
  expect(begun).toHaveLength(2);
  const last = read('a');
  begun[1]?.end('new');
  expect(await Promise.all(later)).toEqual(['new', 'new', 'new']);
  await settled();
  begun[2]?.end('newest');
  expect(await last).toBe('newest');
});

test('an idle thing is read at once, and nothing of it is kept', async () => {
  const { begun, read } = controlled();
  for (const [at, result] of ['one', 'two'].entries()) {
    const answer = read('a');
    begun[at]?.end(result);
    expect(await answer).toBe(result);
    await settled();
  }
  expect(begun).toHaveLength(2);
});

test('things do not wait for each other', () => {
  const { begun, read } = controlled();
  void read('a');
  void read('b');
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
});

test('an error is that of the calls that shared the read; those that wait get the next result', async () => {
  const { begun, read } = controlled();
  const first = read('a');
  const next = read('a');
  begun[0]?.fail(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  await settled();
  begun[1]?.end('back');
  expect(await next).toBe('back');
});
