/** One whole gateway, without Redis: evaluations use none. */
import { createApp } from '../../../src/app.ts';
import { answerRequests } from '../../realtime/processes.ts';
import { gatewayConfig } from '../../realtime/servers/gateway-config.ts';
import type { Setting, Started } from './setting.ts';

async function start({ databaseUrl }: Setting): Promise<Started> {
  const app = await createApp(gatewayConfig(databaseUrl));
  return { url: app.url };
}

answerRequests({ start });
