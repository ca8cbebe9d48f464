/** The variables that a gateway reads, and how they make its configuration. */
import { z } from 'zod';
import { defaultQuotas } from '../platform/quotas.ts';
import {
  type Config,
  ConfigError,
  defaultAdmission,
  type IdentityConfig,
  type MailConfig,
} from './config.ts';
import {
  aSecond,
  atATime,
  auditKeys,
  countries,
  databaseUrl,
  emailAddress,
  emailDomains,
  isCutInPassword,
  isLoopback,
  isOrigin,
  isProtected,
  list,
  logLevels,
  mailbox,
  networks,
  oneOf,
  proxies,
  quotas,
  redisTopology,
  redisUrls,
  regions,
  ticketWebhooks,
  url,
  variable,
  wholeNumber,
} from './values.ts';

const environment = z.object({
  HOST: variable(z.string().regex(/^[\w.:-]+$/, 'must be an address or a host name: 127.0.0.1'), '127.0.0.1'),
  PORT: variable(wholeNumber(0, 65_535, 'a TCP port'), 4000),
  NODE_ENV: variable(oneOf(['production', 'development', 'test']), 'development' as const),
  LOG_LEVEL: variable(oneOf(logLevels), 'info' as const),
  DATA_FOLDER: variable(z.string(), './data'),
  DATABASE_URL: variable(databaseUrl, null),
  DATABASE_OWNER_URL: variable(databaseUrl, null),
  DATABASE_POOL_SIZE: variable(wholeNumber(2, 500, 'a number of connections'), 20),
  DATABASE_REPLICA_URL: variable(databaseUrl, null),
  DATABASE_REPLICA_LAG_SECONDS: variable(wholeNumber(2, 300, 'a number of seconds'), 10),
  DATABASE_WAIT_SECONDS: variable(wholeNumber(0, 3_600, 'a number of seconds'), 60),
  REDIS_URL: variable(redisUrls, null),
  REDIS_TOPOLOGY: variable(redisTopology, 'SINGLE' as const),
  REDIS_CHANNEL: variable(
    z.string().regex(/^[\w:.-]{1,100}$/, 'must be letters, digits and _ : . -'),
    'latchkey',
  ),
  OIDC_ISSUER: variable(
    url('must be the https:// URL that the tokens have as their issuer', isProtected),
    null,
  ),
  OIDC_AUDIENCE: variable(z.string(), null),
  OIDC_JWKS_URL: variable(url("must be the https:// URL of the issuer's keys", isProtected), null),
  OIDC_EMAIL_VERIFIED: variable(oneOf(['REQUIRED', 'OPTIONAL']), null),
  CURSOR_SECRET: variable(
    list.refine(
      (secrets) => secrets.length > 0 && secrets.every((secret) => secret.length >= 32),
      'must be at least 32 characters (`openssl rand -base64 32`); earlier secrets may follow, separated by commas',
    ),
    null,
  ),
  AUDIT_SIGNING_KEYS: variable(auditKeys, null),
  ALLOWED_ORIGINS: variable(
    list.refine(
      (origins) => origins.every(isOrigin),
      'must be origins separated by commas, without a path or a final slash: https://admin.customer.example',
    ),
    [],
  ),
  TRUSTED_PROXIES: variable(proxies, []),
  PUBLIC_URL: variable(
    z
      .string()
      .refine(
        (text) => isOrigin(text) && isProtected(new URL(text)),
        'must be the https:// origin of the deployment, without a path or a final slash: https://support-access.vendor.example',
      ),
    null,
  ),
  CONSOLE_URL: variable(
    url(
      'must be the https:// base URL of the console, without a user, a query or a fragment: https://admin.customer.example/support-access',
      (parsed) =>
        isProtected(parsed) && `${parsed.username}${parsed.password}${parsed.search}${parsed.hash}` === '',
    ).transform((text) => new URL(text).href),
    null,
  ),
  SMTP_URL: variable(
    url(
      'must be the URL of a mail server, smtp://user:password@host:587 or smtps://…, with percent-encoding',
      (parsed) =>
        /^smtps?:$/.test(parsed.protocol) &&
        parsed.hostname !== '' &&
        parsed.search === '' &&
        !isCutInPassword(parsed),
    ),
    null,
  ),
  MAIL_FROM: variable(mailbox, null),
  GUARD_APPOINTMENT_WAIT_HOURS: variable(wholeNumber(24, 720, 'a number of hours'), 72),
  QUOTAS: variable(quotas, defaultQuotas),
  BOOTSTRAP_OPERATOR_EMAIL: variable(emailAddress, null),
  VENDOR_EMAIL_DOMAINS: variable(emailDomains, null),
  PROCESSING_REGIONS: variable(regions, []),
  ENGINEER_COUNTRIES: variable(countries, []),
  TICKET_WEBHOOK_SECRETS: variable(ticketWebhooks, []),
  AUDIT_STREAM_NETWORKS: variable(networks, []),
  METRICS_PORT: variable(wholeNumber(0, 65_535, 'a TCP port'), null),
  METRICS_HOST: variable(
    z.string().regex(/^[\w.:-]+$/, 'must be an address or a host name: 127.0.0.1'),
    '127.0.0.1',
  ),
  OPERATIONS_PER_ACCOUNT: variable(atATime, defaultAdmission.operationsPerAccount),
  OPERATIONS_PER_SERVICE_ACCOUNT: variable(atATime, defaultAdmission.operationsPerServiceAccount),
  OPERATIONS_PER_ORGANIZATION: variable(atATime, defaultAdmission.operationsPerOrganization),
  RATE_PER_ACCOUNT: variable(aSecond, defaultAdmission.ratePerAccount),
  RATE_PER_SERVICE_ACCOUNT: variable(aSecond, defaultAdmission.ratePerServiceAccount),
  RATE_PER_ORGANIZATION: variable(aSecond, defaultAdmission.ratePerOrganization),
  SHUTDOWN_GRACE_SECONDS: variable(wholeNumber(1, 300, 'a number of seconds'), 10),
});

/** The variables that the gateway reads, in the order of .env.example. */
export const variableNames: readonly string[] = Object.keys(environment.shape);

/** The environment and the file .env in the current folder. A variable that is set in the environment wins. */
export function readEnvironment(): NodeJS.ProcessEnv {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new ConfigError(['.env cannot be read: it must be a file with lines NAME=value.']);
    }
  }
  return process.env;
}

/**
 * Reads the configuration from the environment.
 *
 * @throws ConfigError that names every invalid variable. It never quotes a value, which may be a secret.
 */
export function parseConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const parsed = environment.safeParse(variables);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}.`));
  }
  const values = parsed.data;
  const problems: string[] = [];
  const identity = chooseIdentity(values, problems);
  if (values.DATABASE_URL !== null && values.CURSOR_SECRET === null) {
    problems.push(
      'CURSOR_SECRET must be set together with DATABASE_URL, to the same value on every gateway: `openssl rand -base64 32`.',
    );
  }
  if (values.DATABASE_OWNER_URL !== null && values.DATABASE_URL === null) {
    problems.push(
      'DATABASE_URL must be set together with DATABASE_OWNER_URL: the gateway runs as the role of DATABASE_URL.',
    );
  }
  if (values.DATABASE_REPLICA_URL !== null && values.DATABASE_URL === null) {
    problems.push(
      'DATABASE_URL must be set together with DATABASE_REPLICA_URL: it is the primary that the replica follows.',
    );
  }
  if (values.DATABASE_REPLICA_URL !== null && values.DATABASE_REPLICA_URL === values.DATABASE_URL) {
    problems.push(
      'DATABASE_REPLICA_URL must lead to a replica, and not to the primary as DATABASE_URL does: leave it out if there is none.',
    );
  }
  if (values.SMTP_URL !== null && values.MAIL_FROM === null) {
    problems.push('MAIL_FROM must be set together with SMTP_URL: it is the sender of the mail.');
  }
  const [redisServer, ...otherRedisServers] = values.REDIS_URL ?? [];
  if (otherRedisServers.length > 0 && values.REDIS_TOPOLOGY === 'SINGLE') {
    problems.push('REDIS_URL names several servers: set REDIS_TOPOLOGY=CLUSTER, or name one.');
  }
  if (problems.length > 0 || identity === null) throw new ConfigError(problems);
  const [secret, ...earlierSecrets] = values.CURSOR_SECRET ?? [];
  return {
    host: values.HOST,
    port: values.PORT,
    production: values.NODE_ENV === 'production',
    logLevel: values.LOG_LEVEL,
    database:
      values.DATABASE_URL === null
        ? { kind: 'embedded', dataFolder: values.DATA_FOLDER }
        : { kind: 'url', url: values.DATABASE_URL, ownerUrl: values.DATABASE_OWNER_URL },
    databasePoolSize: values.DATABASE_POOL_SIZE,
    databaseReplica:
      values.DATABASE_REPLICA_URL === null
        ? null
        : {
            url: values.DATABASE_REPLICA_URL,
            mostBehindMs: values.DATABASE_REPLICA_LAG_SECONDS * 1_000,
          },
    databaseWaitMs: values.DATABASE_WAIT_SECONDS * 1_000,
    redis:
      redisServer === undefined
        ? null
        : {
            url: redisServer,
            ...(otherRedisServers.length === 0 ? {} : { otherUrls: otherRedisServers }),
            topology: values.REDIS_TOPOLOGY,
            channel: values.REDIS_CHANNEL,
          },
    identity,
    cursorSecrets: secret === undefined ? null : [secret, ...earlierSecrets],
    auditSigningKeys: values.AUDIT_SIGNING_KEYS,
    allowedOrigins: values.ALLOWED_ORIGINS,
    trustedProxies: values.TRUSTED_PROXIES,
    publicUrl: values.PUBLIC_URL,
    consoleUrl: values.CONSOLE_URL,
    mail: chooseMail(values),
    guardAppointmentWaitHours: values.GUARD_APPOINTMENT_WAIT_HOURS,
    quotas: values.QUOTAS,
    bootstrapOperatorEmail: values.BOOTSTRAP_OPERATOR_EMAIL,
    vendorEmailDomains:
      values.VENDOR_EMAIL_DOMAINS ?? (identity.kind === 'development' ? ['vendor.example'] : []),
    vendorSites: {
      processingRegions: values.PROCESSING_REGIONS,
      engineerCountries: values.ENGINEER_COUNTRIES,
    },
    ticketWebhooks: values.TICKET_WEBHOOK_SECRETS,
    auditStreamNetworks: values.AUDIT_STREAM_NETWORKS,
    metrics: values.METRICS_PORT === null ? null : { host: values.METRICS_HOST, port: values.METRICS_PORT },
    admission: {
      operationsPerAccount: values.OPERATIONS_PER_ACCOUNT,
      operationsPerServiceAccount: values.OPERATIONS_PER_SERVICE_ACCOUNT,
      operationsPerOrganization: values.OPERATIONS_PER_ORGANIZATION,
      ratePerAccount: values.RATE_PER_ACCOUNT,
      ratePerServiceAccount: values.RATE_PER_SERVICE_ACCOUNT,
      ratePerOrganization: values.RATE_PER_ORGANIZATION,
    },
    shutdownGraceMs: values.SHUTDOWN_GRACE_SECONDS * 1_000,
  };
}

/**
 * The issuer that the three variables name, or the development issuer where none is set. Since that one issues
 * tokens to anyone, it is allowed only on the embedded database, outside production, on a loopback address.
 * Returns null and adds to the problems when neither is possible.
 */
function chooseIdentity(values: z.output<typeof environment>, problems: string[]): IdentityConfig | null {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience, OIDC_JWKS_URL: jwksUrl } = values;
  if (issuer !== null && audience !== null && jwksUrl !== null) {
    const byDefault = values.NODE_ENV === 'production' ? 'REQUIRED' : 'OPTIONAL';
    return {
      kind: 'oidc',
      issuer,
      audience,
      jwksUrl,
      emailVerified: values.OIDC_EMAIL_VERIFIED ?? byDefault,
    };
  }
  const isNamedInPart = issuer !== null || audience !== null || jwksUrl !== null;
  const reason = isNamedInPart
    ? 'OIDC_ISSUER, OIDC_AUDIENCE and OIDC_JWKS_URL are set together or not at all'
    : values.DATABASE_URL !== null
      ? 'with DATABASE_URL, nobody can sign in without an issuer'
      : values.NODE_ENV === 'production'
        ? 'in production, nobody can sign in without an issuer'
        : isLoopback(values.HOST)
          ? null
          : 'with a HOST that other machines can reach, nobody can sign in without an issuer';
  if (reason === null) return { kind: 'development' };
  for (const [name, value] of Object.entries({
    OIDC_ISSUER: issuer,
    OIDC_AUDIENCE: audience,
    OIDC_JWKS_URL: jwksUrl,
  })) {
    if (value === null) problems.push(`${name} must be set: ${reason}.`);
  }
  return null;
}

/** SMTP where a server is set; files on the embedded database outside production; otherwise no mail. */
function chooseMail(values: z.output<typeof environment>): MailConfig {
  const { SMTP_URL: url, MAIL_FROM: given, DATABASE_URL, NODE_ENV, DATA_FOLDER: dataFolder } = values;
  const from = given ?? { name: 'Latchkey', address: 'no-reply@latchkey.invalid' };
  if (url !== null) return { kind: 'smtp', url, from };
  return DATABASE_URL === null && NODE_ENV !== 'production'
    ? { kind: 'files', dataFolder, from }
    : { kind: 'none' };
}
