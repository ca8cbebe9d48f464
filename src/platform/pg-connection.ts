/** What the connections of the pool can do that the interface of the driver does not say. */
import pg from 'pg';

export function connectionOf(client: pg.ClientBase): pg.Connection | undefined {
  return 'connection' in client && client.connection instanceof pg.Connection ? client.connection : undefined;
}

/** Sends in one packet what `send` sends at once, as far as it fits. For connections that pipeline. */
export function sendTogether<T>(client: pg.ClientBase, send: () => T): T {
  const stream = connectionOf(client)?.stream;
  stream?.cork();
  try {
    return send();
  } finally {
    stream?.uncork();
  }
}

/** Sends in one packet what is sent from now on until nothing is left to do at this moment. */
export function sendSoon(client: pg.ClientBase): void {
  const stream = connectionOf(client)?.stream;
  stream?.cork();
  process.nextTick(() => stream?.uncork());
}
