/** A TCP proxy whose connections a test cuts, without a goodbye on either side. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type Proxy = {
  /** Where it listens: `http://127.0.0.1:…`. */
  readonly url: string;
  /** Cuts every connection there is. */
  cut(): void;
  /** While refusing, new connections are cut at once. */
  refuse(refusing: boolean): void;
  /** How many connections were made through it. */
  readonly connections: number;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let refusing = false;
  let connections = 0;
  const server = createServer((inward) => {
    if (refusing) {
      inward.resetAndDestroy();
      return;
    }
    connections += 1;
    const outward = connect(Number(port), hostname);
    for (const [one, other] of [
      [inward, outward],
      [outward, inward],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    refuse(yes) {
      refusing = yes;
    },
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
