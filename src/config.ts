import { isIP } from 'node:net';
import { z } from 'zod';
import { asciiLowerCase } from './platform/ascii.ts';
import { trustedProxies } from './platform/client-address.ts';
import { isCountryCode } from './platform/country-codes.ts';
import { parseEmailAddress } from './platform/email-address.ts';
import type { LogLevel } from './platform/logger.ts';
import { defaultQuotas, isQuotaName, type QuotaName, type Quotas } from './platform/quotas.ts';
import { StartupError } from './platform/startup-error.ts';
import { visibleText } from './platform/visible-text.ts';

/** How one gateway runs. Plain data: `parseConfig` checks which values may be combined. */
export type Config = {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly production: boolean;
  readonly logLevel: LogLevel;
  readonly database: DatabaseConfig;
  /** The maximum number of connections. */
  readonly databasePoolSize: number;
  /** For how many milliseconds a start waits for a database at a URL that is not there yet. */
  readonly databaseWaitMs: number;
  /** Null: events stay within this process, and this is the only gateway of the deployment. */
  readonly redis: RedisConfig | null;
  readonly identity: IdentityConfig;
  /** The first one signs cursors; each one verifies them. Null: a secret is made and kept in the data folder. */
  readonly cursorSecrets: readonly [string, ...string[]] | null;
  /** Origins of web pages that may use the gateway from a browser, in addition to its own. */
  readonly allowedOrigins: readonly string[];
  /** The addresses and ranges of the proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** The origin by which product backends reach this deployment. Null: it is not known. */
  readonly publicUrl: string | null;
  /** The base URL of the console in which people decide, which mail names. Null: mail has no link to it. */
  readonly consoleUrl: string | null;
  readonly mail: MailConfig;
  /** How long the appointment of a Guard admin waits where no Guard admin could confirm it, in hours. */
  readonly guardAppointmentWaitHours: number;
  /** How much one account or organization may write and be sent. */
  readonly quotas: Quotas;
  /** The email of the person who becomes the first operator of a deployment without operators. */
  readonly bootstrapOperatorEmail: string | null;
  /** The domains of the vendor's email addresses, in lower case: nobody with an address there is a customer's user. */
  readonly vendorEmailDomains: readonly string[];
  /** The regions in which support processes customers' data, and the countries from which it acts. Empty: any. */
  readonly vendorSites: {
    readonly processingRegions: readonly string[];
    /** ISO 3166-1 alpha-2 codes. */
    readonly engineerCountries: readonly string[];
  };
  /** The ticketing systems that send their events. */
  readonly ticketWebhooks: readonly TicketWebhookConfig[];
  /** Where `/metrics` is served. Null: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly admission: AdmissionConfig;
  /** Milliseconds for a graceful stop; the process ends when it takes longer. */
  readonly shutdownGraceMs: number;
};

/** What the gateway admits. What only ends access is counted apart, by the same numbers. */
export type AdmissionConfig = {
  /** Operations that run or wait at one gateway: of a person, of a service account, of an organization. */
  readonly operationsPerAccount: number;
  readonly operationsPerServiceAccount: number;
  readonly operationsPerOrganization: number;
  /** Operations a second, of all gateways. */
  readonly ratePerAccount: number;
  readonly ratePerServiceAccount: number;
  readonly ratePerOrganization: number;
};

/** Far beyond what people and their programs do, and little enough that nobody holds up the others. */
export const defaultAdmission: AdmissionConfig = {
  operationsPerAccount: 200,
  operationsPerServiceAccount: 1_000,
  operationsPerOrganization: 1_000,
  ratePerAccount: 100,
  ratePerServiceAccount: 1_000,
  ratePerOrganization: 1_000,
};

export type DatabaseConfig =
  | { readonly kind: 'embedded'; readonly dataFolder: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      /** As whom the tables are migrated. Null: as whom the gateway runs, if that role may. */
      readonly ownerUrl: string | null;
    };

export type RedisConfig = {
  readonly url: string;
  /** Further nodes of a cluster. */
  readonly otherUrls?: readonly string[];
  readonly topology: 'SINGLE' | 'CLUSTER';
  readonly channel: string;
};

export type IdentityConfig =
  /** The gateway issues tokens itself, to anyone. Only on the embedded database. */
  | { readonly kind: 'development' }
  | {
      readonly kind: 'oidc';
      readonly issuer: string;
      readonly audience: string;
      readonly jwksUrl: string;
      readonly emailVerified: EmailVerified;
    };

/**
 * What the claim `email_verified` of a token must be for its email to count. `REQUIRED`: true. `OPTIONAL`: true or
 * absent, for an issuer that verifies every email and never sends the claim.
 */
export type EmailVerified = 'REQUIRED' | 'OPTIONAL';

/** A ticketing system that sends its events to `/webhooks/tickets/<name>`, signed by Standard Webhooks. */
export type TicketWebhookConfig = {
  readonly name: string;
  /** The address of its service account, in lower case. */
  readonly account: string;
  /** One to three, `whsec_…`. Each of them verifies. */
  readonly secrets: readonly string[];
};

/** How email is sent. */
export type MailConfig =
  | { readonly kind: 'smtp'; readonly url: string; readonly from: Mailbox }
  /** Mail is written to files in the data folder instead of being sent. Only on the embedded database. */
  | { readonly kind: 'files'; readonly dataFolder: string; readonly from: Mailbox }
  /** No mail is sent. */
  | { readonly kind: 'none' };

export type Mailbox = { readonly name: string; readonly address: string };

/** The environment is not valid. The message has a line for each invalid variable, which says what is accepted. */
export class ConfigError extends StartupError {
  override name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const absent = z
  .string()
  .trim()
  .transform((text) => (text === '' ? undefined : text))
  .optional();

/** A variable: the default when it is missing or blank, otherwise a value that satisfies the schema. */
function variable<Schema extends z.ZodType, Default>(schema: Schema, byDefault: Default) {
  return absent.transform((text, context): z.output<Schema> | Default => {
    if (text === undefined) return byDefault;
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    const message = parsed.error.issues[0]?.message ?? 'is not valid';
    context.addIssue({ code: 'custom', message });
    return byDefault;
  });
}

function wholeNumber(from: number, to: number, of: string) {
  const message = `must be ${of}, a whole number from ${from} to ${to}`;
  return z
    .string()
    .regex(/^\d+$/, message)
    .transform(Number)
    .pipe(z.number().min(from, message).max(to, message));
}

function url(message: string, accepts: (url: URL) => boolean) {
  return z.string().refine((text) => {
    const parsed = URL.parse(text);
    return parsed !== null && accepts(parsed);
  }, message);
}

/** Whether a password with `/`, `?` or `#` was cut, so that a part of it counts as the port and would be shown. */
const isCutInPassword = ({ pathname, search, hash }: URL): boolean =>
  `${pathname}${search}${hash}`.includes('@');

/** The parameters of a database's URL that the driver honours, and the values that it knows. */
const databaseParameters: Readonly<Record<string, RegExp>> = {
  sslmode: /^(disable|prefer|require|verify-ca|verify-full|no-verify)$/,
  sslrootcert: /./,
  sslcert: /./,
  sslkey: /./,
  sslnegotiation: /^(postgres|direct)$/,
  uselibpqcompat: /^(true|false)$/,
  application_name: /./,
  host: /./,
  port: /^\d+$/,
  user: /./,
};

/** What to do about parameters of other programs. */
const otherParameters: Readonly<Record<string, string>> = {
  schema: 'the tables are in the schema "public": name a database of their own',
  connection_limit: 'DATABASE_POOL_SIZE sets that',
  pgbouncer: 'PgBouncer needs pool_mode = session and nothing here',
  password: 'write the password before the @',
  target_session_attrs: 'a gateway uses only a server that takes writes, whatever it is told',
  load_balance_hosts: 'a gateway uses one server, the primary',
};

/** Refuses a parameter that would be ignored, or would replace a setting that the gateway relies on. */
function checkDatabaseParameters(text: string, context: z.RefinementCtx<string>): void {
  for (const [name, value] of URL.parse(text)?.searchParams ?? []) {
    const shown = /^\w{1,40}$/.test(name) ? name : 'that it has';
    const message =
      databaseParameters[name] === undefined
        ? `must not have the parameter ${shown}: ${otherParameters[name] ?? `it may have ${Object.keys(databaseParameters).join(', ')}`}`
        : databaseParameters[name].test(value)
          ? null
          : `must not have this value of ${shown}: it is not one that the gateway knows`;
    if (message !== null) context.addIssue({ code: 'custom', message });
  }
}

/** Whether a URL names several servers, as those of libpq may: `postgresql://a:5432,b:5432/latchkey`. */
function namesSeveralServers(text: string): boolean {
  const [, authority = ''] = /^postgres(?:ql)?:\/\/([^/?#]*)/.exec(text) ?? [];
  const hosts = [authority.slice(authority.lastIndexOf('@') + 1), URL.parse(text)?.searchParams.get('host')];
  return hosts.some((host) => host?.includes(',') === true);
}

const databaseUrl = z
  .string()
  .refine((text) => !namesSeveralServers(text), {
    error:
      'must be the URL of one server, not of several: let one address lead to the primary (a virtual IP, a proxy, or DNS with a short lifetime); without target_session_attrs, since a gateway uses only a server that takes writes',
    abort: true,
  })
  .pipe(
    url(
      'must be the URL of a PostgreSQL database, postgresql://user:password@host:5432/latchkey, with percent-encoding',
      (parsed) =>
        /^postgres(ql)?:$/.test(parsed.protocol) &&
        parsed.pathname.length > 1 &&
        parsed.hash === '' &&
        !isCutInPassword(parsed),
    ),
  )
  .superRefine(checkDatabaseParameters);

function oneOf<const Choices extends readonly [string, ...string[]]>(choices: Choices) {
  return z.enum(choices, `must be one of ${choices.join(', ')}`);
}

/** Over plain HTTP, somebody on the network could replace the issuer's keys. */
const isProtected = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const isOrigin = (text: string): boolean => {
  const parsed = URL.parse(text);
  return parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.origin === text;
};

const maxProxies = 100;

const proxies = list.refine(
  (ranges) => ranges.length <= maxProxies && trustedProxies(ranges) !== null,
  `must be the addresses of proxies or ranges in CIDR notation, IPv4 or IPv6, separated by commas, at most ${maxProxies}, and not everybody's (/0): 10.0.3.7,2001:db8:7::/64`,
);

const emailAddress = z.string().transform((text, context) => {
  const address = parseEmailAddress(text);
  if (address !== null) return address;
  context.addIssue({ code: 'custom', message: 'must be an email address' });
  return z.NEVER;
});

const maxVendorDomains = 50;

/** The domains in lower case. One label alone would be the domain of everybody: `com`. */
const emailDomains = list.transform((given, context) => {
  const domains = given.map(asciiLowerCase);
  const isDomain = (text: string) =>
    /^[^[].*\../.test(text) && parseEmailAddress(`somebody@${text}`) !== null;
  if (domains.length <= maxVendorDomains && domains.every(isDomain)) return [...new Set(domains)];
  const message = `must be domains of email addresses separated by commas, at most ${maxVendorDomains}, other scripts as xn--…: vendor.example,vendor-support.example`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const maxRegions = 100;

/** Regions as the sites have them: `createSite` accepts the same texts. */
const regions = list.transform((given, context) => {
  const named = [...new Set(given.map(visibleText))];
  const isRegion = (text: string) => text.length <= 40 && /^[^\p{Cc}]+$/u.test(text);
  if (named.length <= maxRegions && named.every(isRegion)) return named;
  const message = `must be regions separated by commas, each at most 40 characters, at most ${maxRegions}, spelled as the sites' dataResidencyRegion: EU,US`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const countries = list.transform((given, context) => {
  if (given.every(isCountryCode)) return [...new Set(given)];
  context.addIssue({
    code: 'custom',
    message:
      'must be ISO 3166-1 alpha-2 codes of countries separated by commas, in capital letters: DE,IE,PL',
  });
  return z.NEVER;
});

/** `openTicketsOfUser=1000,ticketsOfUserPerHour=50`: the quotas that are not the default. */
const quotas = list.transform((given, context): Quotas => {
  const set: Record<QuotaName, number> = { ...defaultQuotas };
  for (const one of given) {
    const [, name = '', most = ''] = /^(\w+)=([1-9]\d{0,6})$/.exec(one) ?? [];
    if (isQuotaName(name)) set[name] = Number(most);
    else {
      context.addIssue({
        code: 'custom',
        message: `must be quotas separated by commas, each a name and a whole number from 1 to 9999999, as in openTicketsOfUser=1000. The names: ${Object.keys(defaultQuotas).join(', ')}`,
      });
      return z.NEVER;
    }
  }
  return set;
});

/** `Name <address>`, or only the address. */
const mailbox = z.string().transform((text, context): Mailbox => {
  const [, quoted = '', address = text] = /^([^<>"\r\n]*|"[^<>"\r\n]*" *)<([^<>]*)>$/.exec(text) ?? [];
  if (parseEmailAddress(address) !== null) return { name: quoted.replaceAll('"', '').trim(), address };
  context.addIssue({
    code: 'custom',
    message: 'must be a sender: Latchkey <support@vendor.example>',
  });
  return z.NEVER;
});

const maxTicketingSystems = 50;

/** A secret of Standard Webhooks: 24 to 64 random bytes in base64. */
function isWebhookSecret(text: string): boolean {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === encoded;
}

function readTicketWebhook(text: string): TicketWebhookConfig | null {
  const [, name = '', email = '', keys = ''] =
    /^([a-z0-9][a-z0-9-]{0,39})=(.+?):(whsec_.+)$/.exec(text) ?? [];
  const account = parseEmailAddress(email);
  const secrets = keys.split('|');
  return account !== null && secrets.length <= 3 && secrets.every(isWebhookSecret)
    ? { name, account, secrets }
    : null;
}

/** `name=account:whsec_…|whsec_…`. The message quotes nothing of it. */
const ticketWebhooks = list.transform((entries, context): readonly TicketWebhookConfig[] => {
  const systems = entries.flatMap((entry) => readTicketWebhook(entry) ?? []);
  const distinct = (of: 'name' | 'account') =>
    new Set(systems.map((system) => system[of])).size === entries.length;
  // A signature does not say for which URL it was made: with the secret of another, its events would count for both.
  const secrets = systems.flatMap((system) => system.secrets);
  const haveOwn = distinct('name') && distinct('account') && new Set(secrets).size === secrets.length;
  if (entries.length <= maxTicketingSystems && haveOwn) return systems;
  const message = `must be at most ${maxTicketingSystems} ticketing systems separated by commas, each with a name, a service account and one to three secrets of its own, of 24 to 64 bytes in base64: desk=tickets@vendor.example:whsec_…|whsec_…`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const maxClusterNodes = 50;

/** One server, or some nodes of a cluster: a comma ends a URL only where another one begins. */
const redisUrls = z
  .string()
  .transform((text) => text.split(/\s*,\s*(?=rediss?:\/\/)/))
  .refine((urls) => urls.length <= maxClusterNodes && urls.every(isRedisUrl), {
    abort: true,
    error:
      'must be the URL of a Redis server, redis://host:6379 or rediss://…, with percent-encoding, or those of a cluster separated by commas, but not of a Redis Sentinel',
  })
  .refine((urls) => new Set(urls.map(accessOf)).size === 1, {
    error: 'must be the URLs of nodes with one protocol, user and password',
  });

function isRedisUrl(text: string): boolean {
  const parsed = URL.parse(text);
  return (
    parsed !== null &&
    /^rediss?:$/.test(parsed.protocol) &&
    !parsed.hostname.includes(',') &&
    !isCutInPassword(parsed)
  );
}

/** How a Redis server is reached, besides its address. */
function accessOf(text: string): string {
  const { protocol, username, password } = new URL(text);
  return JSON.stringify([protocol, username, password]);
}

const redisTopology = z.string().transform((text, context) => {
  if (text === 'SINGLE' || text === 'CLUSTER') return text;
  const message =
    text.toUpperCase() === 'SENTINEL'
      ? 'must be SINGLE or CLUSTER: gateways do not ask a Redis Sentinel for the primary, so let one address follow it (a proxy, or a name that is changed at a failover), and use SINGLE'
      : 'must be SINGLE or CLUSTER';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const atATime = wholeNumber(10, 100_000, 'a number of operations');
const aSecond = wholeNumber(10, 100_000, 'a number of operations a second');

const environment = z.object({
  HOST: variable(z.string().regex(/^[\w.:-]+$/, 'must be an address or a host name: 127.0.0.1'), '127.0.0.1'),
  PORT: variable(wholeNumber(0, 65_535, 'a TCP port'), 4000),
  NODE_ENV: variable(oneOf(['production', 'development', 'test']), 'development' as const),
  LOG_LEVEL: variable(oneOf(logLevels), 'info' as const),
  DATA_FOLDER: variable(z.string(), './data'),
  DATABASE_URL: variable(databaseUrl, null),
  DATABASE_OWNER_URL: variable(databaseUrl, null),
  DATABASE_POOL_SIZE: variable(wholeNumber(2, 500, 'a number of connections'), 20),
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

function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Describes the configuration for people, one line per subject, without secrets. */
export function explainConfig(config: Config): string[] {
  const { database, redis, identity, mail } = config;
  return [
    `address    ${config.host}:${config.port}`,
    `database   ${database.kind === 'embedded' ? `embedded PostgreSQL in ${database.dataFolder}` : addressOf(database.url)}, up to ${config.databasePoolSize} connections${database.kind === 'url' && database.ownerUrl !== null ? ', migrated by another role' : ''}`,
    `events     ${redis === null ? 'within this process: run only one gateway' : `Redis at ${[redis.url, ...(redis.otherUrls ?? [])].map(addressOf).join(' and ')}, ${redis.topology.toLowerCase()}, channel ${redis.channel}`}`,
    `identity   ${identity.kind === 'development' ? 'development issuer: anyone on this machine can be anyone' : `${identity.issuer}, audience ${identity.audience}, keys from ${addressOf(identity.jwksUrl)}, email_verified ${identity.emailVerified.toLowerCase()}`}`,
    `cursors    signed with a secret ${config.cursorSecrets === null ? 'kept in the data folder' : 'from the environment'}`,
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

/** Protocol, host, port and path of a URL: nothing that could be a credential. */
function addressOf(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}
