import { type Config, defaultAdmission } from '../../../src/config/config.ts';
import { defaultQuotas } from '../../../src/platform/quotas.ts';

/** A gateway of the benchmarks: on this database, without Redis. */
export function gatewayConfig(databaseUrl: string): Config {
  return {
    host: '127.0.0.1',
    port: 0,
    production: false,
    logLevel: 'warn',
    database: { kind: 'url', url: databaseUrl, ownerUrl: null },
    databasePoolSize: 20,
    databaseReplica: null,
    identity: { kind: 'development' },
    cursorSecrets: ['a secret of the benchmark, long enough to sign'],
    auditSigningKeys: null,
    allowedOrigins: [],
    trustedProxies: [],
    publicUrl: null,
    consoleUrl: null,
    mail: { kind: 'none' },
    quotas: defaultQuotas,
    guardAppointmentWaitHours: 72,
    vendorSites: { processingRegions: [], engineerCountries: [] },
    bootstrapOperatorEmail: null,
    vendorEmailDomains: [],
    ticketWebhooks: [],
    auditStreamNetworks: [],
    metrics: null,
    databaseWaitMs: 0,
    admission: defaultAdmission,
    shutdownGraceMs: 5_000,
    redis: null,
  };
}
