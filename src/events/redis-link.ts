import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { withDeadline } from '../platform/deadline.ts';
import { createConnector } from './redis-connector.ts';

/** The Redis channel of a deployment. */
export type RedisChannel = {
  /** `redis://` or `rediss://`, with credentials if there are any. For a cluster, the URL of any node. */
  url: string;
  /** Further nodes of a cluster, by which it is found while the first one is down. */
  otherUrls?: readonly string[];
  /**
   * `SINGLE`: one server, or a primary behind one address. `CLUSTER`: Redis Cluster, with sharded pub/sub
   * (Redis 7), so that a wake goes to one shard and not to every node.
   */
  topology: 'SINGLE' | 'CLUSTER';
  /** The channel's name: the same on every gateway of the deployment, and used by nothing else. */
  channel: string;
};

/** A set of connections. It is never repaired: once it breaks, the bus replaces it by a new one. */
export type RedisLink = {
  publish(message: string): Promise<unknown>;
  /** Resolves with the reason when the connections were closed or lost. */
  readonly closed: Promise<Error>;
  close(): void;
};

/** Milliseconds for each step of connecting. */
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
 * Connects and subscribes. Resolves when the server has acknowledged the subscription; every message published from
 * then on arrives until the link breaks.
 *
 * Rejects if this fails, takes longer than three seconds, or is aborted, with the reason that Redis gave if it gave
 * one. A broken connection resolves `closed`; a server that has stopped responding does not.
 */
export async function openRedisLink(
  target: RedisChannel,
  onMessage: (message: string) => void,
  signal: AbortSignal,
): Promise<RedisLink> {
  /** The first error of a socket: the reason of whatever fails after it. */
  let socketError: Error | undefined;
  const Connector = createConnector((error) => {
    socketError ??= error;
  });
  const clients = (target.topology === 'CLUSTER' ? clusterClients : singleClients)(target, { Connector });
  /** What Redis or the network reported. The failure of a pending command says only that the connection is closed. */
  let reported: Error | undefined;
  const closed = new Promise<Error>((resolve) => {
    for (const client of clients.all) {
      client.on('error', (error: Error) => {
        reported = target.topology === 'CLUSTER' ? withNodeError(error, socketError) : (socketError ?? error);
      });
      client.on('end', () =>
        resolve(reported ?? socketError ?? new Error('The connection to Redis was closed')),
      );
    }
  });
  const close = (): void => {
    for (const client of clients.all) client.disconnect();
  };
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    const connected = Promise.all(clients.all.map((client) => client.connect()));
    const subscribed = connected.then(() => clients.subscribe(onMessage));
    const failed = Promise.race([aborted.promise, closed.then((reason) => Promise.reject(reason))]);
    await withDeadline(Promise.race([subscribed, failed]), 2 * connectDeadline, tookTooLong);
  } catch (error) {
    close();
    throw signal.aborted ? error : (reported ?? socketError ?? error);
  } finally {
    // The signal outlives every attempt to connect: what stayed attached to it would never be freed.
    signal.removeEventListener('abort', abort);
  }
  void closed.then(close);
  return { publish: clients.publish, closed, close };
}

const tookTooLong = () => new Error('Redis did not respond in time');

/** The error of a cluster, with the error of one of its nodes as its cause. */
function withNodeError(error: Error, socketError: Error | undefined): Error {
  if ('lastNodeError' in error && error.lastNodeError instanceof Error)
    error.cause ??= socketError ?? error.lastNodeError;
  return error;
}

type Clients = {
  all: readonly (Redis | Cluster)[];
  subscribe(onMessage: (message: string) => void): Promise<unknown>;
  publish(message: string): Promise<unknown>;
};

function singleClients({ url, channel }: RedisChannel, own: Pick<RedisOptions, 'Connector'>): Clients {
  const options = { ...connection, ...own, retryStrategy: null };
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

function clusterClients(
  { url, otherUrls = [], channel }: RedisChannel,
  own: Pick<RedisOptions, 'Connector'>,
): Clients {
  const { username, password, protocol } = new URL(url);
  const { enableOfflineQueue: _queue, lazyConnect, ...options } = connection;
  const cluster = new Cluster([url, ...otherUrls], {
    lazyConnect,
    shardedSubscribers: true,
    clusterRetryStrategy: null,
    slotsRefreshTimeout: connectDeadline,
    redisOptions: {
      ...options,
      ...own,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
  });
  withoutUnshardedSubscriber(cluster);
  return {
    all: [cluster],
    subscribe(onMessage) {
      cluster.on('smessage', (_channel: string, message: string) => onMessage(message));
      return cluster.ssubscribe(channel);
    },
    publish: (message) => cluster.spublish(channel, message),
  };
}

/** Keeps a cluster from opening a connection for channels that are not sharded: it would not be opened by our connector. */
export function withoutUnshardedSubscriber(cluster: Cluster): void {
  const subscriber: unknown = Reflect.get(cluster, 'subscriber');
  if (typeof subscriber === 'object' && subscriber !== null)
    Object.assign(subscriber, { start: () => undefined });
}
