import { connect as connectPlainly, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectByTls } from 'node:tls';
import { AbstractConnector } from 'ioredis';

/** What ioredis reads from a URL. */
type Target = {
  readonly host?: string;
  readonly port?: number;
  readonly family?: number;
  readonly path?: string;
  readonly tls?: ConnectionOptions;
  readonly disconnectTimeout: number;
};

/**
 * How ioredis opens its sockets: each error of a socket has a listener. ioredis listens to the first one only, and a
 * refused certificate has two: the refusal, and the alert by which the server answers it. The second one would end the process.
 *
 * @param onError called with the first error of each socket, and with the reason why a server is not used
 */
export function createConnector(onError: (error: Error) => void) {
  return class Connector extends AbstractConnector {
    readonly #target: Target;

    constructor(target: unknown) {
      super((target as Target).disconnectTimeout);
      this.#target = target as Target;
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const { host = 'localhost', port = 6379, family = 0, path, tls } = this.#target;
      const address = path === undefined ? { host, port, family } : { path };
      this.stream = tls === undefined ? connectPlainly(address) : connectByTls({ ...address, ...tls });
      this.stream.on('error', (error) => {
        if (this.firstError !== undefined) return;
        this.firstError = error;
        onError(error);
      });
      return this.stream;
    }

    /** Called with what the server says of itself, before it is used. */
    override check(info: { redis_mode?: string }): boolean {
      if (info.redis_mode !== 'sentinel') return true;
      onError(new Error(isSentinel));
      return false;
    }
  };
}

const isSentinel =
  'REDIS_URL leads to a Redis Sentinel, which carries no messages: name the primary, by an address that follows it';
