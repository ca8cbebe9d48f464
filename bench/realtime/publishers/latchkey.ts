import pg from 'pg';
import { appendEvents } from '../../../src/events/outbox.ts';
import { createRedisBus } from '../../../src/events/redis-bus.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { envelopeOf } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';

const connections = 8;

/** Commits to the table of events and wakes the gateways, as a gateway does after a command. */
export async function createLatchkeyPublisher({ redisUrl, databaseUrl }: Setting): Promise<Publisher> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  pool.on('error', () => undefined);
  await Promise.all(Array.from({ length: connections }, () => pool.query('SELECT 1')));
  // Each statement by itself is a transaction.
  const writer = {
    $executeRawUnsafe: async (text: string, ...values: unknown[]) =>
      (await pool.query({ name: 'append', text, values })).rowCount ?? 0,
  };
  const logger = createLogger('silent');
  const bus = createRedisBus({ url: redisUrl, topology: 'SINGLE', channel: 'latchkey', logger });
  // Called when the way through Redis is open.
  await new Promise<void>((open) => bus.subscribe(open));
  return {
    lanes: connections,
    async publish(events) {
      await appendEvents(writer, events.map(envelopeOf));
      bus.publish();
    },
  };
}
