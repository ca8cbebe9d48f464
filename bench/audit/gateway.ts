/** One whole gateway that sends streams to endpoints of this machine. */
import { loadGateway } from '../../src/bundle.ts';
import { newSigningKey } from '../../src/transparency/signed-note.ts';
import { answerRequests } from '../realtime/processes.ts';
import { gatewayConfig } from '../realtime/servers/gateway-config.ts';

const handlers = {
  async start(databaseUrl: string): Promise<void> {
    const { createApp } = await loadGateway();
    await createApp({
      ...gatewayConfig(databaseUrl),
      auditStreamNetworks: ['127.0.0.0/8'],
      auditSigningKeys: [newSigningKey('bench.example/audit/log')],
    });
  },
  /** Seconds of processor time. */
  usage: (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};

export type GatewayHandlers = typeof handlers;

answerRequests(handlers);
