import type { EventEmitter } from 'node:events';
import type { Limits } from './limits.ts';

/** A client on a long-lived connection, which has to reconnect to another gateway. */
export type DrainingClient = {
  /** Starts to close the connection. Called at most once, and not after `closed` has resolved. */
  startDraining(): void;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
};

/** Resolves at the next `close` event. Never resolves for an emitter that had closed before the call. */
export function whenClosed(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', () => resolve()));
}

/**
 * Starts to drain each client at a random moment, so that they do not all reconnect to another gateway at once.
 * Resolves when all are closed. It cuts nobody: a connection that does not close is its owner's business.
 */
export async function drainClients(
  clients: readonly DrainingClient[],
  { drainMs, drainPerConnectionMs }: Limits,
): Promise<void> {
  const withinMs = Math.min(drainMs, clients.length * drainPerConnectionMs);
  await Promise.all(
    clients.map(async (client) => {
      const timer = setTimeout(() => client.startDraining(), Math.random() * withinMs);
      await client.closed;
      clearTimeout(timer);
    }),
  );
}
