/** The complete gateway, with its database, Redis and background jobs. */
import { createApp } from '../../../src/app.ts';
import { serve } from './server.ts';

serve(async ({ redisUrl, databaseUrl }) => {
  const app = await createApp({
    host: '127.0.0.1',
    port: 0,
    production: false,
    logLevel: 'warn',
    database: { kind: 'url', url: databaseUrl },
    databasePoolSize: 20,
    redis: { url: redisUrl, topology: 'SINGLE', channel: 'latchkey' },
    identity: { kind: 'development' },
    cursorSecrets: ['a secret of the benchmark, long enough to sign'],
    allowedOrigins: [],
    mail: { kind: 'none' },
    bootstrapOperatorEmail: null,
    shutdownGraceMs: 5_000,
  });
  return { url: `${app.url}/graphql`, protocol: 'graphql-transport-ws' };
});
