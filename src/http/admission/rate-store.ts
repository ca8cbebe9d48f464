import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { createConnector } from '../../events/redis-connector.ts';
import { type RedisChannel, withoutUnshardedSubscriber } from '../../events/redis-link.ts';

/** Where the gateways of a deployment count together. */
export type RateStore = {
  readonly client: Redis | Cluster;
  /** Begins every key that they use. */
  readonly prefix: string;
  dispose(): void;
};

const options = {
  connectTimeout: 1_500,
  commandTimeout: 1_500,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  keepAlive: 10_000,
  // The bus, which has connections of its own, logs why Redis is away.
  Connector: createConnector(() => undefined),
} satisfies RedisOptions;

/** Connects in the background, and again whenever the connection is lost. Until then every command fails at once. */
export function openRateStore({ url, otherUrls = [], topology, channel }: RedisChannel): RateStore {
  const client = topology === 'CLUSTER' ? openCluster([url, ...otherUrls]) : new Redis(url, options);
  client.on('error', () => undefined);
  return { client, prefix: channel, dispose: () => client.disconnect() };
}

function openCluster([url, ...others]: [string, ...string[]]): Cluster {
  const { username, password, protocol } = new URL(url);
  const cluster = new Cluster([url, ...others], {
    enableOfflineQueue: false,
    redisOptions: {
      ...options,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
  });
  withoutUnshardedSubscriber(cluster);
  return cluster;
}
