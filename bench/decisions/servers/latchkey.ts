/** One whole gateway. */
import { loadGateway } from '../../../src/bundle.ts';
import { answerRequests } from '../../realtime/processes.ts';
import { gatewayConfig } from '../../realtime/servers/gateway-config.ts';
import type { Setting, Started } from './setting.ts';

async function start({ databaseUrl, redisUrl }: Setting): Promise<Started> {
  const redis =
    redisUrl === undefined ? null : ({ url: redisUrl, topology: 'SINGLE', channel: 'latchkey' } as const);
  const { createApp } = await loadGateway();
  const app = await createApp({ ...gatewayConfig(databaseUrl), redis });
  return { url: app.url };
}

answerRequests({ start });
