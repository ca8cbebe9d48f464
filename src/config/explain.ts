import type { Config } from './config.ts';

/** Describes the configuration for people, one line per subject, without secrets. */
export function explainConfig(config: Config): string[] {
  const { database, redis, identity, mail } = config;
  return [
    `address    ${config.host}:${config.port}`,
    `database   ${database.kind === 'embedded' ? `embedded PostgreSQL in ${database.dataFolder}` : addressOf(database.url)}, up to ${config.databasePoolSize} connections${database.kind === 'url' && database.ownerUrl !== null ? ', migrated by another role' : ''}`,
    ...(config.databaseReplica === null
      ? []
      : [
          `replica    ${addressOf(config.databaseReplica.url)}: audit logs are read there while it is at most ${config.databaseReplica.mostBehindMs / 1_000} s behind`,
        ]),
    `events     ${redis === null ? 'within this process: run only one gateway' : `Redis at ${[redis.url, ...(redis.otherUrls ?? [])].map(addressOf).join(' and ')}, ${redis.topology.toLowerCase()}, channel ${redis.channel}`}`,
    `identity   ${identity.kind === 'development' ? 'development issuer: anyone on this machine can be anyone' : `${identity.issuer}, audience ${identity.audience}, keys from ${addressOf(identity.jwksUrl)}, email_verified ${identity.emailVerified.toLowerCase()}`}`,
    `cursors    signed with a secret ${config.cursorSecrets === null ? 'kept in the data folder' : 'from the environment'}`,
    `audit      ${sealedWith(config)}`,
    `origins    ${config.allowedOrigins.length === 0 ? "the gateway's own" : `the gateway's own, ${config.allowedOrigins.join(', ')}`}`,
    `proxies    ${config.trustedProxies.length === 0 ? 'none is trusted: X-Forwarded-For is ignored' : `${config.trustedProxies.join(', ')} are trusted`}`,
    `public     ${config.publicUrl ?? (identity.kind === 'development' ? 'where it listens' : 'address unknown: product backends cannot discover the decision point')}`,
    ...(config.consoleUrl === null ? [] : [`console    ${config.consoleUrl}`]),
    `mail       ${mail.kind === 'smtp' ? `through ${addressOf(mail.url)}, from ${mail.from.address}` : mail.kind === 'files' ? `written to files in ${mail.dataFolder}` : 'none: nobody receives email'}`,
    ...(config.bootstrapOperatorEmail === null
      ? []
      : [`operator   ${config.bootstrapOperatorEmail}, if there is no operator yet`]),
    `vendor     ${config.vendorEmailDomains.length === 0 ? "no domains are known: its own people can be added as customers' users" : `addresses of ${config.vendorEmailDomains.join(', ')} are no customer's user's`}`,
    `support    processes data in ${listOr('any region', config.vendorSites.processingRegions)}, acts from ${listOr('any country', config.vendorSites.engineerCountries)}`,
    `guard      an appointment that nobody could confirm waits ${config.guardAppointmentWaitHours} hours`,
    `quotas     ${Object.entries(config.quotas)
      .map(([name, most]) => `${name} ${most}`)
      .join(', ')}`,
    ...(config.ticketWebhooks.length === 0
      ? []
      : [
          `tickets    events of ${config.ticketWebhooks.map(({ name, account }) => `${name} as ${account}`).join(', ')}`,
        ]),
    ...(config.metrics === null ? [] : [`metrics    ${config.metrics.host}:${config.metrics.port}/metrics`]),
    `log        ${config.logLevel}`,
    `stop       within ${config.shutdownGraceMs / 1_000} s`,
  ];
}

const listOr = (any: string, items: readonly string[]): string =>
  items.length === 0 ? any : items.join(', ');

function sealedWith({ auditSigningKeys: keys, database, production }: Config): string {
  if (keys !== null)
    return `logs are sealed with ${keys.length === 1 ? 'a key' : `${keys.length} keys`} from the environment`;
  return database.kind === 'embedded' && !production
    ? 'logs are sealed with a key kept in the data folder'
    : 'logs are not sealed: AUDIT_SIGNING_KEYS is not set';
}

/** Protocol, host, port and path of a URL: nothing that could be a credential. */
function addressOf(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}
