import { Redis } from 'ioredis';
import { answerOf, topicsOf } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';

/** Publishes the text as it goes to clients, as long as what Latchkey sends. */
export async function createBarePublisher({ redisUrl }: Setting): Promise<Publisher> {
  const redis = new Redis(redisUrl);
  return {
    lanes: Number.POSITIVE_INFINITY,
    publish: (events) =>
      Promise.all(
        events.flatMap((event) => {
          const payload = { data: { grantEvents: answerOf(event) } };
          const text = JSON.stringify({ id: '1', type: 'next', payload });
          return topicsOf(event).map((topic) => redis.publish(topic, text));
        }),
      ),
  };
}
