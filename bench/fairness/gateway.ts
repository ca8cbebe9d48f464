/** One whole gateway, which tells how much memory it uses. */
import { createApp } from '../../src/app.ts';
import { answerRequests } from '../realtime/processes.ts';
import { gatewayConfig } from '../realtime/servers/gateway-config.ts';

const handlers = {
  async start(databaseUrl: string): Promise<string> {
    return (await createApp(gatewayConfig(databaseUrl))).url;
  },
  /** In MiB. */
  memory: (): number => process.memoryUsage.rss() / 2 ** 20,
};

export type GatewayHandlers = typeof handlers;

answerRequests(handlers);
