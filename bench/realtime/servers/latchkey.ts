/** The complete gateway, with its database, Redis and background jobs. */
import { createApp } from '../../../src/app.ts';
import type { Config } from '../../../src/config.ts';
import type { Relay } from '../../../src/events/relay.ts';
import type { Publisher } from '../publishers/publisher.ts';
import { openEventTable } from '../publishers/table.ts';
import { type Setting, type Started, serve } from './server.ts';

let relay: Relay | undefined;

async function start({ redisUrl, databaseUrl }: Setting): Promise<Started> {
  const config = {
    host: '127.0.0.1',
    port: 0,
    production: false,
    logLevel: 'warn',
    database: { kind: 'url', url: databaseUrl, ownerUrl: null },
    databasePoolSize: 20,
    redis: { url: redisUrl, topology: 'SINGLE', channel: 'latchkey' },
    identity: { kind: 'development' },
    cursorSecrets: ['a secret of the benchmark, long enough to sign'],
    allowedOrigins: [],
    publicUrl: null,
    mail: { kind: 'none' },
    guardAppointmentWaitHours: 72,
    vendorSites: { processingRegions: [], engineerCountries: [] },
    bootstrapOperatorEmail: null,
    vendorEmailDomains: [],
    ticketWebhooks: [],
    shutdownGraceMs: 5_000,
  } satisfies Config;
  const app = await createApp(config, {
    onDeliveryCreated: (created) => {
      relay = created.relay;
    },
  });
  return { url: `${app.url}/graphql`, protocol: 'graphql-transport-ws' };
}

/** Commits events and announces them to the gateway's relay, as its own commands do. */
async function openOwnPublisher({ databaseUrl }: Setting): Promise<Publisher> {
  const table = await openEventTable(databaseUrl);
  return { ...table, publish: async (_events, committed) => relay?.announce(committed ?? null) };
}

serve(start, openOwnPublisher);
