import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** Where the wakes of a deployment travel. */
export type RedisRoad = {
  /** `redis://` or `rediss://`, with credentials if there are any; of a cluster, any one node's. */
  url: string;
  /**
   * `SINGLE`: one server, or a primary behind one address. `CLUSTER`: Redis Cluster, with sharded pub/sub
   * (Redis 7), so that a wake goes to one shard and not to every node.
   */
  topology: 'SINGLE' | 'CLUSTER';
  /** The same on every gateway of one deployment, and no other's. */
  channel: string;
};

/** One life of the connections: it works until it is lost, and is then replaced by another. */
export type RedisLink = {
  publish(message: string): Promise<unknown>;
  /** Resolves with the reason when the connections are gone, closed or lost. */
  readonly gone: Promise<Error>;
  close(): void;
};

/** Milliseconds. */
const connectDeadline = 1500;

const connection = {
  lazyConnect: true,
  connectTimeout: connectDeadline,
  commandTimeout: connectDeadline,
  disconnectTimeout: 100,
  maxRetriesPerRequest: 0,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  keepAlive: 10_000,
} satisfies RedisOptions;

/**
 * Connects and subscribes. Resolves when the server has acknowledged the subscription; every message
 * published from then on arrives while the link lasts.
 *
 * Rejects when that fails, takes longer than three seconds, or is aborted. An established link that breaks
 * says so; one whose server has fallen silent does not know.
 */
export async function openRedisLink(
  road: RedisRoad,
  onMessage: (message: string) => void,
  signal: AbortSignal,
): Promise<RedisLink> {
  const clients = road.topology === 'CLUSTER' ? clusterClients(road) : singleClients(road);
  const gone = new Promise<Error>((resolve) => {
    let reason = new Error('The connection to Redis was closed');
    for (const client of clients.all) {
      client.on('error', (error: Error) => {
        reason = error;
      });
      client.on('end', () => resolve(reason));
    }
  });
  const close = (): void => {
    for (const client of clients.all) client.disconnect();
  };
  const limit = new AbortController();
  const late = setTimeout(() => limit.abort(new Error('Redis did not answer in time')), 2 * connectDeadline);
  const stop = AbortSignal.any([signal, limit.signal]);
  const stopped = new Promise<never>((_resolve, reject) => {
    if (stop.aborted) reject(stop.reason);
    stop.addEventListener('abort', () => reject(stop.reason), { once: true });
  });
  try {
    const connected = Promise.all(clients.all.map((client) => client.connect()));
    const subscribed = connected.then(() => clients.subscribe(onMessage));
    await Promise.race([subscribed, stopped, gone.then((reason) => Promise.reject(reason))]);
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(late);
  }
  void gone.then(close);
  return { publish: clients.publish, gone, close };
}

type Clients = {
  all: readonly (Redis | Cluster)[];
  subscribe(onMessage: (message: string) => void): Promise<unknown>;
  publish(message: string): Promise<unknown>;
};

function singleClients({ url, channel }: RedisRoad): Clients {
  const options = { ...connection, retryStrategy: null };
  const subscriber = new Redis(url, options);
  const publisher = new Redis(url, options);
  return {
    all: [subscriber, publisher],
    subscribe(onMessage) {
      subscriber.on('message', (_channel: string, message: string) => onMessage(message));
      return subscriber.subscribe(channel);
    },
    publish: (message) => publisher.publish(channel, message),
  };
}

function clusterClients({ url, channel }: RedisRoad): Clients {
  const { username, password, protocol } = new URL(url);
  const { enableOfflineQueue: _queue, lazyConnect, ...options } = connection;
  const cluster = new Cluster([url], {
    lazyConnect,
    shardedSubscribers: true,
    clusterRetryStrategy: null,
    slotsRefreshTimeout: connectDeadline,
    redisOptions: {
      ...options,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
  });
  return {
    all: [cluster],
    subscribe(onMessage) {
      cluster.on('smessage', (_channel: string, message: string) => onMessage(message));
      return cluster.ssubscribe(channel);
    },
    publish: (message) => cluster.spublish(channel, message),
  };
}
