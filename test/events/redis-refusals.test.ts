/** A Redis server that is there and cannot be used: the reason is reported, and no error of a socket ends the process. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { openRedisLink, type RedisChannel } from '../../src/events/redis-link.ts';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { strangeCertificate, strangeKey } from '../support/certificate.ts';
import { reservePort } from '../support/ports.ts';
import { startRedis } from '../support/redis.ts';

const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
beforeEach(() => void process.on('uncaughtExceptionMonitor', note));
afterEach(() => void process.off('uncaughtExceptionMonitor', note));

/** The reasons why this many attempts failed, each with its cause. */
async function reasonsOf(url: string, topology: RedisChannel['topology'], attempts = 3): Promise<string[]> {
  const { signal } = new AbortController();
  const reasons: string[] = [];
  for (let made = 0; made < attempts; made += 1) {
    const failed = openRedisLink({ url, topology, channel: 'wakes' }, () => undefined, signal);
    const error: Error = await failed.then(
      () => expect.unreachable('It is connected'),
      (reason) => reason,
    );
    reasons.push(`${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`);
  }
  return reasons;
}

test.each<RedisChannel['topology']>(['SINGLE', 'CLUSTER'])(
  '%s: a certificate that is not trusted is the reason, and ends nothing',
  async (topology) => {
    const tls = { certificate: strangeCertificate, key: strangeKey };
    const redis = await startRedis({ tls });
    try {
      for (const reason of await reasonsOf(`rediss://127.0.0.1:${redis.port}`, topology))
        expect(reason).toMatch(/certificate/);
      expect(uncaught).toEqual([]);
    } finally {
      await redis.stop();
    }
  },
);

test.each<RedisChannel['topology']>(['SINGLE', 'CLUSTER'])(
  '%s: a password that is refused is the reason',
  async (topology) => {
    const redis = await startRedis({ password: 'hunter2' });
    try {
      for (const reason of await reasonsOf(`redis://:hunter3@127.0.0.1:${redis.port}`, topology))
        expect(reason).toMatch(/WRONGPASS/);
    } finally {
      await redis.stop();
    }
  },
);

test('a Redis Sentinel is recognized', async () => {
  const program = inject('redis');
  if ('missing' in program) throw new Error(program.missing);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-sentinel-'));
  const port = await reservePort();
  const settings = join(folder, 'sentinel.conf');
  await writeFile(settings, `bind 127.0.0.1\nport ${port}\ndir ${folder}\n`);
  const sentinel = spawnWatched(...watched(program.path, [settings, '--sentinel']), {
    env: { PATH: '/usr/bin:/bin' },
  });
  const exited = once(sentinel, 'exit');
  try {
    if (sentinel.stdout === null) throw new Error('It has no output');
    const said = createInterface({ input: sentinel.stdout });
    for await (const line of said) if (line.includes('Sentinel ID is')) break;
    sentinel.stdout.resume();
    expect(await reasonsOf(`redis://127.0.0.1:${port}`, 'SINGLE', 1)).toEqual([
      expect.stringMatching(/leads to a Redis Sentinel/),
    ]);
  } finally {
    sentinel.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  }
});
