import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { eventually } from '../support/eventually.ts';
import { reservePort } from '../support/ports.ts';
import { silent } from './gateway.ts';

type Node = { port: number; busPort: number; start(): Promise<void>; kill(): Promise<void>; client: Redis };

let folder: string;
const nodes: Node[] = [];

/** Three primaries that share the slots. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-cluster-'));
  for (let count = 0; count < 3; count += 1) nodes.push(await openNode());
  const [first] = nodes;
  if (first === undefined) throw new Error('No node');
  const bounds = [0, 5461, 10923, 16384];
  for (const [index, { client }] of nodes.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', bounds[index] ?? 0, (bounds[index + 1] ?? 0) - 1);
  }
  for (const { port, busPort } of nodes.slice(1)) {
    await first.client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
  }
  await isWhole();
});
afterAll(async () => {
  for (const { client, kill } of nodes) {
    client.disconnect();
    await kill();
  }
  await rm(folder, { recursive: true, force: true });
});

async function openNode(): Promise<Node> {
  const program = inject('redis');
  if ('missing' in program) throw new Error(program.missing);
  const [port, busPort] = [await reservePort(), await reservePort()];
  const home = await mkdtemp(join(folder, 'node-'));
  const settings = ['--port', port, '--cluster-port', busPort, '--cluster-enabled', 'yes', '--dir', home];
  const more = ['--bind', '127.0.0.1', '--save', '', '--cluster-node-timeout', '1000'];
  let server: ChildProcess | undefined;
  const node: Node = {
    port,
    busPort,
    client: new Redis(port, { lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null }),
    async start() {
      server = spawnWatched(...watched(program.path, [...settings, ...more].map(String)), {
        env: { PATH: '/usr/bin:/bin' },
      });
      server.stdout?.resume();
      if (node.client.status === 'wait') node.client.connect().catch(() => undefined);
      await node.client.ping();
    },
    async kill() {
      const exited = server === undefined ? undefined : once(server, 'exit');
      server?.kill('SIGKILL');
      await exited;
    },
  };
  node.client.on('error', () => undefined);
  await node.start();
  return node;
}

/** Every node sees every slot served by a node it reaches. */
async function isWhole(): Promise<void> {
  await eventually(async () => {
    for (const { client } of nodes) {
      const info = String(await client.call('CLUSTER', 'INFO'));
      expect(info).toContain('cluster_state:ok');
      expect(info).toContain('cluster_known_nodes:3');
    }
  });
}

test('a bus over Redis Cluster uses one shard, and survives its failure', async () => {
  const open = () => {
    const bus = createRedisBus({
      url: `redis://127.0.0.1:${nodes[0]?.port}`,
      topology: 'CLUSTER',
      channel: 'wakes',
      logger: silent,
    });
    const onWake = vi.fn();
    bus.subscribe(onWake);
    return { ...bus, onWake };
  };
  const [one, other] = [open(), open()];
  const bothAre = (state: 'UP' | 'DOWN') =>
    eventually(() => expect([one.health().state, other.health().state]).toStrictEqual([state, state]));
  try {
    await bothAre('UP');
    one.publish();
    await eventually(() => expect(other.onWake).toHaveBeenCalledTimes(2));
    expect(one.onWake).toHaveBeenCalledTimes(1);

    const shards = await Promise.all(
      nodes.map(async ({ client }) =>
        Number(((await client.call('PUBSUB', 'SHARDNUMSUB', 'wakes')) as unknown[])[1]),
      ),
    );
    expect(shards.toSorted()).toStrictEqual([0, 0, 2]);

    const shard = nodes[shards.indexOf(2)];
    await shard?.kill();
    await bothAre('DOWN');
    await shard?.start();
    await isWhole();
    await bothAre('UP');
    const before = other.onWake.mock.calls.length;
    one.publish();
    await eventually(() => expect(other.onWake.mock.calls.length).toBeGreaterThan(before));
  } finally {
    await Promise.all([one.dispose(), other.dispose()]);
  }
});
