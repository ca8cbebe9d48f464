/** A gateway in a process of its own that reports its memory: for tests that measure it. */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { loadGateway } from '../../src/bundle.ts';
import { type Config, defaultAdmission } from '../../src/config/config.ts';
import { generousDatabaseDeadlines, generousLimits, generousQuotas } from '../support/deadlines.ts';
import { measureLateness } from '../support/lateness.ts';
import type { InspectedGatewayOptions, InspectedGatewayReport } from './inspected-gateway.ts';

const report = (message: InspectedGatewayReport) => void process.send?.(message);
const options: InspectedGatewayOptions = JSON.parse(process.argv[2] ?? '{}');

subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket };
  const { remotePort: port = 0 } = socket;
  socket.once('close', () => report({ kind: 'GONE', port }));
});
const config = {
  ...({
    host: '127.0.0.1',
    port: 0,
    production: false,
    logLevel: 'warn',
    databasePoolSize: 10,
    databaseReplica: null,
  } as const),
  database: { kind: 'url', url: options.databaseUrl, ownerUrl: null },
  redis: options.redis,
  identity: { kind: 'development' },
  ...{
    cursorSecrets: ['a secret of the tests, long enough to sign'],
    auditSigningKeys: null,
    allowedOrigins: [],
    trustedProxies: [],
    publicUrl: null,
    consoleUrl: null,
  },
  ...{
    quotas: generousQuotas,
    guardAppointmentWaitHours: 72,
    vendorSites: { processingRegions: [], engineerCountries: [] },
  },
  ...{ mail: { kind: 'none' }, bootstrapOperatorEmail: null },
  ...{
    vendorEmailDomains: [],
    ticketWebhooks: [],
    auditStreamNetworks: [],
    admission: defaultAdmission,
    metrics: null,
    databaseWaitMs: 0,
  },
  shutdownGraceMs: 5_000,
} satisfies Config;
const { createApp } = await loadGateway();
// Its tests are about the limits for clients that do not read: no other one.
const app = await createApp(config, {
  databaseDeadlines: generousDatabaseDeadlines,
  limits: generousLimits,
});
report({ kind: 'LISTENING', url: app.url });
const lateness = measureLateness();

async function stop(): Promise<void> {
  await app.dispose();
  process.exit(0);
}
process.on('message', (request) => {
  if (request === 'STOP') return void stop();
  if (request === 'LATENESS') return report({ kind: 'LATENESS', allowance: lateness.allowance() });
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  report({ kind: 'MEMORY', rss, heap: heapUsed + external });
});
// The test's process died.
process.on('disconnect', stop);
