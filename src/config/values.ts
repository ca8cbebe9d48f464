/** What the variables of the environment may be: a schema for each kind of value. Messages never quote a value. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { asciiLowerCase } from '../platform/ascii.ts';
import { trustedProxies } from '../platform/client-address.ts';
import { isCountryCode } from '../platform/country-codes.ts';
import { parseEmailAddress } from '../platform/email-address.ts';
import { defaultQuotas, isQuotaName, type QuotaName, type Quotas } from '../platform/quotas.ts';
import { visibleText } from '../platform/visible-text.ts';
import { mostKeys, readLogKeys } from '../transparency/log-keys.ts';
import type { Mailbox, TicketWebhookConfig } from './config.ts';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const absent = z
  .string()
  .trim()
  .transform((text) => (text === '' ? undefined : text))
  .optional();

/** A variable: the default when it is missing or blank, otherwise a value that satisfies the schema. */
export function variable<Schema extends z.ZodType, Default>(schema: Schema, byDefault: Default) {
  return absent.transform((text, context): z.output<Schema> | Default => {
    if (text === undefined) return byDefault;
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    const message = parsed.error.issues[0]?.message ?? 'is not valid';
    context.addIssue({ code: 'custom', message });
    return byDefault;
  });
}

export function wholeNumber(from: number, to: number, of: string) {
  const message = `must be ${of}, a whole number from ${from} to ${to}`;
  return z
    .string()
    .regex(/^\d+$/, message)
    .transform(Number)
    .pipe(z.number().min(from, message).max(to, message));
}

export function url(message: string, accepts: (url: URL) => boolean) {
  return z.string().refine((text) => {
    const parsed = URL.parse(text);
    return parsed !== null && accepts(parsed);
  }, message);
}

/** Whether a password with `/`, `?` or `#` was cut, so that a part of it counts as the port and would be shown. */
export const isCutInPassword = ({ pathname, search, hash }: URL): boolean =>
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

export const databaseUrl = z
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

export function oneOf<const Choices extends readonly [string, ...string[]]>(choices: Choices) {
  return z.enum(choices, `must be one of ${choices.join(', ')}`);
}

/** Over plain HTTP, somebody on the network could replace the issuer's keys. */
export const isProtected = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));

export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Private keys of signed notes, and public ones of earlier days. The message quotes nothing of them. */
export const auditKeys = list.refine((texts) => readLogKeys(texts) !== null, {
  error: `must be at most ${mostKeys} keys separated by commas, all with one name and at least one of them private, as \`npm run audit:key\` prints them: PRIVATE+KEY+…`,
});

export const isOrigin = (text: string): boolean => {
  const parsed = URL.parse(text);
  return parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.origin === text;
};

const maxProxies = 100;

export const proxies = list.refine(
  (ranges) => ranges.length <= maxProxies && trustedProxies(ranges) !== null,
  `must be the addresses of proxies or ranges in CIDR notation, IPv4 or IPv6, separated by commas, at most ${maxProxies}, and not everybody's (/0): 10.0.3.7,2001:db8:7::/64`,
);

export const networks = list.refine(
  (ranges) => ranges.length <= maxProxies && trustedProxies(ranges) !== null,
  `must be addresses or ranges in CIDR notation, IPv4 or IPv6, separated by commas, at most ${maxProxies}, and not everybody's (/0): 10.20.0.0/16,2001:db8:7::/64`,
);

export const emailAddress = z.string().transform((text, context) => {
  const address = parseEmailAddress(text);
  if (address !== null) return address;
  context.addIssue({ code: 'custom', message: 'must be an email address' });
  return z.NEVER;
});

const maxVendorDomains = 50;

/** The domains in lower case. One label alone would be the domain of everybody: `com`. */
export const emailDomains = list.transform((given, context) => {
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
export const regions = list.transform((given, context) => {
  const named = [...new Set(given.map(visibleText))];
  const isRegion = (text: string) => text.length <= 40 && /^[^\p{Cc}]+$/u.test(text);
  if (named.length <= maxRegions && named.every(isRegion)) return named;
  const message = `must be regions separated by commas, each at most 40 characters, at most ${maxRegions}, spelled as the sites' dataResidencyRegion: EU,US`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

export const countries = list.transform((given, context) => {
  if (given.every(isCountryCode)) return [...new Set(given)];
  context.addIssue({
    code: 'custom',
    message:
      'must be ISO 3166-1 alpha-2 codes of countries separated by commas, in capital letters: DE,IE,PL',
  });
  return z.NEVER;
});

/** `openTicketsOfUser=1000,ticketsOfUserPerHour=50`: the quotas that are not the default. */
export const quotas = list.transform((given, context): Quotas => {
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
export const mailbox = z.string().transform((text, context): Mailbox => {
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
export const ticketWebhooks = list.transform((entries, context): readonly TicketWebhookConfig[] => {
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
export const redisUrls = z
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

export const redisTopology = z.string().transform((text, context) => {
  if (text === 'SINGLE' || text === 'CLUSTER') return text;
  const message =
    text.toUpperCase() === 'SENTINEL'
      ? 'must be SINGLE or CLUSTER: gateways do not ask a Redis Sentinel for the primary, so let one address follow it (a proxy, or a name that is changed at a failover), and use SINGLE'
      : 'must be SINGLE or CLUSTER';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

export const atATime = wholeNumber(10, 100_000, 'a number of operations');
export const aSecond = wholeNumber(10, 100_000, 'a number of operations a second');

export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
