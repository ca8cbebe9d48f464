/**
 * The complete gateway, with its database, Redis and background jobs. From its sources: what its own commits append is made by
 * the same modules.
 */
import { createApp } from '../../../src/app.ts';
import type { Config } from '../../../src/config/config.ts';
import type { Relay } from '../../../src/events/relay.ts';
import type { Publisher } from '../publishers/publisher.ts';
import { openEventTable } from '../publishers/table.ts';
import { gatewayConfig } from './gateway-config.ts';
import { type Setting, type Started, serve } from './server.ts';

let relay: Relay | undefined;

async function start({ redisUrl, databaseUrl }: Setting): Promise<Started> {
  const config: Config = {
    ...gatewayConfig(databaseUrl),
    redis: { url: redisUrl, topology: 'SINGLE', channel: 'latchkey' },
  };
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
