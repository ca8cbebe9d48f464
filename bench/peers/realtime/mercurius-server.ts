/** Mercurius with subscriptions through Redis, as its documentation configures them. */
import fastify from 'fastify';
import mercurius, { type MercuriusContext } from 'mercurius';
import createEmitter from 'mqemitter-redis';
import { serve } from '../../realtime/servers/server.ts';
import { peerSchema } from './peer-schema.ts';

declare module 'mercurius' {
  interface MercuriusContext {
    topic: string;
  }
}

serve(async ({ redisUrl }) => {
  const app = fastify();
  await app.register(mercurius, {
    schema: peerSchema,
    resolvers: {
      Subscription: {
        grantEvents: {
          subscribe: (_root: unknown, _arguments: unknown, { pubsub, topic }: MercuriusContext) =>
            pubsub.subscribe(topic),
        },
      },
    },
    subscription: {
      emitter: createEmitter({ connectionString: redisUrl }),
      // The result is merged into the context of the connection's subscriptions.
      onConnect: ({ payload }) => ({ topic: payload.topic }),
    },
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url: `${url}/graphql`, protocol: 'graphql-transport-ws' };
});
