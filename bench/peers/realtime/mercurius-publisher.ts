import createEmitter from 'mqemitter-redis';
import { resultOf, topicsOf } from '../../realtime/events.ts';
import type { Publisher } from '../../realtime/publishers/publisher.ts';
import type { Setting } from '../../realtime/servers/server.ts';

export async function createPublisher({ redisUrl }: Setting): Promise<Publisher> {
  const emitter = createEmitter({ connectionString: redisUrl });
  const emit = (topic: string, payload: object) =>
    new Promise<void>((resolve, reject) =>
      emitter.emit({ topic, payload }, (error) => (error == null ? resolve() : reject(error))),
    );
  return {
    concurrency: Number.POSITIVE_INFINITY,
    publish: (events) =>
      Promise.all(
        events.flatMap((event) => {
          const payload = { grantEvents: resultOf(event) };
          return topicsOf(event).map((topic) => emit(topic, payload));
        }),
      ),
  };
}
