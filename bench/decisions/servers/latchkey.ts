/** One whole gateway, without Redis: evaluations use none. */
import { createApp } from '../../../src/app.ts';
import { answerRequests } from '../../realtime/processes.ts';
import type { Setting, Started } from './setting.ts';

async function start({ databaseUrl }: Setting): Promise<Started> {
  const app = await createApp({
    host: '127.0.0.1',
    port: 0,
    production: false,
    logLevel: 'warn',
    database: { kind: 'url', url: databaseUrl, ownerUrl: null },
    databasePoolSize: 20,
    redis: null,
    publicUrl: null,
    identity: { kind: 'development' },
    cursorSecrets: ['a secret of the benchmark, long enough to sign'],
    allowedOrigins: [],
    ticketWebhooks: [],
    mail: { kind: 'none' },
    guardAppointmentWaitHours: 72,
    vendorSites: { processingRegions: [], engineerCountries: [] },
    bootstrapOperatorEmail: null,
    vendorEmailDomains: [],
    shutdownGraceMs: 5_000,
  });
  return { url: app.url };
}

answerRequests({ start });
