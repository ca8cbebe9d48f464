import { createEventMessages } from '../../../src/events/event-messages.ts';
import { eventKinds } from '../../../src/events/kinds.ts';
import { createRedisBus } from '../../../src/events/redis-bus.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { cursorSecret, type Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';
import { openEventTable } from './table.ts';

/** Commits to the events table and sends the events to the gateways, as a gateway does after a command. */
export async function createLatchkeyPublisher({ redisUrl, databaseUrl }: Setting): Promise<Publisher> {
  const table = await openEventTable(databaseUrl);
  const logger = createLogger('silent');
  const bus = createRedisBus({ url: redisUrl, topology: 'SINGLE', channel: 'latchkey', logger });
  // Called when the connection to Redis is open.
  await new Promise<void>((open) => bus.subscribe(() => open()));
  const messages = createEventMessages(cursorSecret, eventKinds);
  return {
    ...table,
    async publish(_events, committed) {
      if (committed != null) bus.publish(() => messages.encode(committed));
    },
  };
}
