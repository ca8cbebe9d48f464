import { Redis } from 'ioredis';
import { resultOf, topicsOf } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';

/** Publishes the clients' message, which is as long as Latchkey's. */
export async function createBarePublisher({ redisUrl }: Setting): Promise<Publisher> {
  const redis = new Redis(redisUrl);
  return {
    concurrency: Number.POSITIVE_INFINITY,
    publish: (events) =>
      Promise.all(
        events.flatMap((event) => {
          const payload = { data: { grantEvents: resultOf(event) } };
          const text = JSON.stringify({ id: '1', type: 'next', payload });
          return topicsOf(event).map((topic) => redis.publish(topic, text));
        }),
      ),
  };
}
