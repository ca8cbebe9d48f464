import createEmitter from 'mqemitter-redis';
import { resultOf, topicsOf } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import type { Publisher } from './publisher.ts';

export async function createMercuriusPublisher({ redisUrl }: Setting): Promise<Publisher> {
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
