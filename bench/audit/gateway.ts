/** One whole gateway that sends streams to endpoints of this machine. */
import { loadGateway } from '../../src/bundle.ts';
import { newSigningKey } from '../../src/transparency/signed-note.ts';
import { answerRequests } from '../realtime/processes.ts';
import { gatewayConfig } from '../realtime/servers/gateway-config.ts';

const handlers = {
  /** @param isUnsealed it has no key to seal logs with */
  async start({ databaseUrl, isUnsealed }: { databaseUrl: string; isUnsealed: boolean }): Promise<string> {
    const { createApp } = await loadGateway();
    const { url } = await createApp({
      ...gatewayConfig(databaseUrl),
      auditStreamNetworks: ['127.0.0.0/8'],
      auditSigningKeys: isUnsealed ? null : [newSigningKey('bench.example/audit/log')],
    });
    return url;
  },
  /** Seconds of processor time. */
  usage: (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};

export type GatewayHandlers = typeof handlers;

answerRequests(handlers);
