/** One whole gateway, which tells how much memory it uses. */
import { loadGateway } from '../../src/bundle.ts';
import { answerRequests } from '../realtime/processes.ts';
import { gatewayConfig } from '../realtime/servers/gateway-config.ts';

const handlers = {
  async start(databaseUrl: string): Promise<string> {
    const { createApp } = await loadGateway();
    return (await createApp(gatewayConfig(databaseUrl))).url;
  },
  /** In MiB. */
  memory: (): number => process.memoryUsage.rss() / 2 ** 20,
};

export type GatewayHandlers = typeof handlers;

answerRequests(handlers);
