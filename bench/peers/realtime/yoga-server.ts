/** GraphQL Yoga with graphql-ws and events through Redis, as its documentation configures them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import type { ExecutionArgs } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema, createYoga } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import type { Answer } from '../../realtime/events.ts';
import { serve } from '../../realtime/servers/server.ts';
import { peerSchema } from './peer-schema.ts';

type Context = { connectionParams: { topic: string } };
/** The functions of an operation, in its root value, as the documentation recommends. */
type Enveloped = Pick<ReturnType<ReturnType<typeof createYoga>['getEnveloped']>, 'execute' | 'subscribe'>;

serve(async ({ redisUrl }) => {
  const eventTarget = createRedisEventTarget({
    publishClient: new Redis(redisUrl),
    subscribeClient: new Redis(redisUrl),
  });
  const pubSub = createPubSub<{ grantEvents: [topic: string, event: Answer] }>({ eventTarget });
  const yoga = createYoga<Context>({
    schema: createSchema<Context>({
      typeDefs: peerSchema,
      resolvers: {
        Subscription: {
          grantEvents: {
            subscribe: (_root, _arguments, { connectionParams }) =>
              pubSub.subscribe('grantEvents', connectionParams.topic),
            resolve: (event: Answer) => event,
          },
        },
      },
    }),
  });
  const http = createServer(yoga);
  const sockets = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint });
  const enveloped = (args: ExecutionArgs) => args.rootValue as Enveloped;
  useServer(
    {
      execute: (args) => enveloped(args).execute(args),
      subscribe: (args) => enveloped(args).subscribe(args),
      onSubscribe: async (context, _id, params) => {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          ...context,
          req: context.extra.request,
          socket: context.extra.socket,
          params,
        });
        const args = {
          schema,
          operationName: params.operationName,
          document: parse(params.query),
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        };
        const errors = validate(args.schema, args.document);
        return errors.length > 0 ? errors : args;
      },
    },
    sockets,
  );
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${yoga.graphqlEndpoint}`, protocol: 'graphql-transport-ws' };
});
