import { createRedisBus } from '../../../src/events/redis-bus.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import type { Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';
import { openEventTable } from './table.ts';

/** Commits to the events table and wakes the gateways, as a gateway does after a command. */
export async function createLatchkeyPublisher({ redisUrl, databaseUrl }: Setting): Promise<Publisher> {
  const table = await openEventTable(databaseUrl);
  const logger = createLogger('silent');
  const bus = createRedisBus({ url: redisUrl, topology: 'SINGLE', channel: 'latchkey', logger });
  // Called when the connection to Redis is open.
  await new Promise<void>((open) => bus.subscribe(open));
  return { ...table, publish: async () => bus.publish() };
}
