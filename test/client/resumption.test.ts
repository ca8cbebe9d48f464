/** How a subscription resumes, at moments that a test with a gateway cannot choose. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createGatewayClient, type TokenSource } from '../../client/src/index.ts';
import {
  document,
  eventOf,
  type Script,
  type ScriptedEvent,
  startScriptedServer,
} from './scripted-server.ts';

const event = (id: string, type = 'ACTIVATED'): ScriptedEvent => ({ id, cursor: `after ${id}`, type });

/** Delivers these events after the beginning, or after the cursor that the client asks for. */
const delivers =
  (...events: readonly ScriptedEvent[]): Script =>
  (after) => [{ id: 'any', cursor: after ?? 'the beginning', type: 'STARTED' }, ...events];

function subscribe(
  url: string,
  token: TokenSource = 'any',
  onReconnecting: (lost: { reason: string }) => void = () => undefined,
) {
  return createGatewayClient({ url, token }).subscribeWithResume({ document, eventOf, onReconnecting });
}

async function take(events: AsyncIterator<ScriptedEvent>, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push((await events.next()).value?.id ?? 'the end');
  return ids;
}

test('before the first event, it resumes from where it started', async () => {
  await using server = await startScriptedServer(delivers(), delivers(event('a')));
  await using events = subscribe(server.url);
  await events.started;
  expect(events.cursor).toBe('the beginning');
  server.cut();
  expect(await take(events, 1)).toEqual(['a']);
  expect(server.asked).toEqual([null, 'the beginning']);
  expect(events.cursor).toBe('after a');
});

test('it drops events that it has received before', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => event(id)) as [ScriptedEvent, ScriptedEvent, ScriptedEvent];
  await using server = await startScriptedServer(delivers(a, b), delivers(a, b, c));
  await using events = subscribe(server.url);
  expect(await take(events, 2)).toEqual(['a', 'b']);
  server.cut();
  expect(await take(events, 1)).toEqual(['c']);
  expect(server.asked).toEqual([null, 'after b']);
});

test('the current state comes again as a whole if its connection is lost before its end', async () => {
  const [first, second] = [event('first', 'CURRENT'), event('second', 'CURRENT')];
  const complete = event('complete', 'CURRENT_COMPLETE');
  await using server = await startScriptedServer(delivers(first), delivers(first, second, complete));
  await using events = subscribe(server.url);
  expect(await take(events, 1)).toEqual(['first']);
  server.cut();
  expect(await take(events, 3)).toEqual(['first', 'second', 'complete']);
});

test('an event with fields that failed is delivered with their errors', async () => {
  await using server = await startScriptedServer(delivers({ ...event('a'), problem: 'broken' }, event('b')));
  const problems: string[][] = [];
  await using events = createGatewayClient({ url: server.url, token: 'any' }).subscribeWithResume({
    document,
    eventOf(data: { grantEvents: ScriptedEvent }, errors) {
      problems.push(errors.map(({ message }) => message));
      return data.grantEvents;
    },
  });
  expect(await take(events, 2)).toEqual(['a', 'b']);
  expect(problems).toEqual([[], ['broken'], []]);
});

test('events that come before the answer to a ping show that the connection works', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const mayDeliver = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async function* (after) {
    yield* delivers()(after);
    await mayDeliver.promise;
    yield event('a');
  });
  const losses: string[] = [];
  await using events = subscribe(server.url, 'any', ({ reason }) => losses.push(reason));
  await events.started;
  vi.advanceTimersByTime(10_000);
  await server.pinged;
  vi.advanceTimersByTime(4_999);
  mayDeliver.resolve();
  await take(events, 1);
  vi.advanceTimersByTime(4_999);
  await vi.advanceTimersByTimeAsync(0);
  expect(losses).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(losses).toEqual([expect.stringContaining('did not answer a ping')]);
});

describe('the renewal of a token', () => {
  const tokenFor = (seconds: number) => `e30.${btoa(JSON.stringify({ exp: Date.now() / 1_000 + seconds }))}.`;

  test('closes the old connection when the new one has started, and events arrive once, in order', async () => {
    const opened = Promise.withResolvers<void>();
    const mayStart = Promise.withResolvers<void>();
    await using server = await startScriptedServer(
      async function* (after) {
        yield* delivers(event('a'))(after);
        await opened.promise;
        yield event('b');
      },
      async function* (after) {
        opened.resolve();
        await mayStart.promise;
        yield* delivers(event('b'), event('c'))(after);
      },
    );
    let losses = 0;
    let asked = 0;
    await using events = subscribe(
      server.url,
      () => {
        asked += 1;
        return tokenFor(asked === 1 ? 3 : 600);
      },
      () => {
        losses += 1;
      },
    );
    // The second event arrives while the new connection is open and has not started.
    expect(await take(events, 2)).toEqual(['a', 'b']);
    mayStart.resolve();
    expect(await take(events, 1)).toEqual(['c']);
    await server.closed(0);
    expect({ asked: server.asked, losses }).toEqual({ asked: [null, 'after a'], losses: 0 });
  });
});
