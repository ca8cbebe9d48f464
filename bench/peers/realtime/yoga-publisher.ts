import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import { createPubSub } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { type Answer, resultOf, topicsOf } from '../../realtime/events.ts';
import type { Publisher } from '../../realtime/publishers/publisher.ts';
import type { Setting } from '../../realtime/servers/server.ts';

export async function createPublisher({ redisUrl }: Setting): Promise<Publisher> {
  const publishClient = new Redis(redisUrl);
  const eventTarget = createRedisEventTarget({ publishClient, subscribeClient: new Redis(redisUrl) });
  const pubSub = createPubSub<{ grantEvents: [topic: string, event: Answer] }>({ eventTarget });
  return {
    concurrency: Number.POSITIVE_INFINITY,
    async publish(events) {
      for (const event of events) {
        const answer = resultOf(event);
        for (const topic of topicsOf(event)) pubSub.publish('grantEvents', topic, answer);
      }
      // The response arrives after everything published before on the same connection.
      await publishClient.ping();
    },
  };
}
