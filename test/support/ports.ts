import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Below the ports that embedded servers choose from, and below those of outgoing connections. Between two of the bad ports that
 * `fetch` and browsers refuse, 6697 and 10080.
 */
const [first, last] = [7_000, 10_079];

/** Tests that reserve a port listen on it here, so that every process of the tests gets another one. */
const reservations = '127.0.0.42';

/**
 * Returns a TCP port that is free on 127.0.0.1, for a server that the caller starts, perhaps again and again. No other
 * test gets it while this process runs.
 */
export async function reservePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = first + Math.floor(Math.random() * (last - first + 1));
    const reservation = await listenAt(reservations, port);
    if (reservation === 'TAKEN') continue;
    const server = await listenAt('127.0.0.1', port);
    if (typeof server === 'object') {
      server.close();
      await once(server, 'close');
      return port;
    }
    if (typeof reservation === 'object') reservation.close();
  }
  throw new Error('No free TCP port was found on 127.0.0.1');
}

/** `NO_ADDRESS`: this machine has no such address, as macOS has only one for itself. */
async function listenAt(host: string, port: number): Promise<Server | 'TAKEN' | 'NO_ADDRESS'> {
  const server = createServer().unref();
  return new Promise((resolve) => {
    server.once('error', (error) =>
      resolve('code' in error && error.code === 'EADDRNOTAVAIL' ? 'NO_ADDRESS' : 'TAKEN'),
    );
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}
