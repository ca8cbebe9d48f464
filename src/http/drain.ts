import type { EventEmitter } from 'node:events';
import type { Limits } from './limits.ts';

/** A client on a long-lived connection that is to go elsewhere. */
export type DrainingClient = {
  /** Called once, unless the client went by itself before. */
  leave(): void;
  /** Resolves when the connection is closed. */
  readonly gone: Promise<void>;
};

/** Resolves when this has closed; pending for good when it had before. */
export function whenClosed(closing: EventEmitter): Promise<void> {
  return new Promise((resolve) => closing.once('close', () => resolve()));
}

/**
 * Leaves each client at a random moment, so that they do not all come to another gateway at once. Resolves
 * when all are gone, which is for their owners to see to.
 */
export async function drainClients(
  clients: readonly DrainingClient[],
  { drainMs, drainPerConnectionMs }: Limits,
): Promise<void> {
  const withinMs = Math.min(drainMs, clients.length * drainPerConnectionMs);
  await Promise.all(
    clients.map(async ({ leave, gone }) => {
      const timer = setTimeout(leave, Math.random() * withinMs);
      await gone;
      clearTimeout(timer);
    }),
  );
}
