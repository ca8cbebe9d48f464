import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { brokenRule } from './database-errors.ts';

export type Logger = PinoLogger;

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

const secretNames = [
  'authorization',
  'cookie',
  'set-cookie',
  'token',
  'accessToken',
  'idToken',
  'password',
  'secret',
  'cursorSecret',
  'auditSigningKeys',
  'connectionString',
  'databaseUrl',
  'redisUrl',
  'smtpUrl',
  'DATABASE_URL',
  'DATABASE_OWNER_URL',
  'DATABASE_REPLICA_URL',
  'REDIS_URL',
  'SMTP_URL',
  'CURSOR_SECRET',
  'AUDIT_SIGNING_KEYS',
];

/** The paths at which a secret's name is redacted: at the top level of a log object and up to three levels below. */
const redactedPaths = secretNames.flatMap((name) => {
  const key = name.includes('-') ? `["${name}"]` : name;
  const nested = name.includes('-') ? key : `.${key}`;
  return [key, `*${nested}`, `*.*${nested}`, `*.*.*${nested}`];
});

/** Up to the last `@`: a password may contain `@` and `/`. In a line of JSON, a quote that belongs to it is escaped. */
const credentialsInUrl = /\b([a-z][a-z0-9+.-]*:\/\/)(?:\\.|[^\s"\\])*@/gi;
const bearerToken = /\b(bearer)\s+[\w.~+/=-]+/gi;

const privateKey = /\bPRIVATE\+KEY\+[^\s"\\,]+/g;

/** Redacts bearer tokens, private keys and the credentials in URLs. */
export function withoutCredentials(text: string): string {
  return text
    .replace(credentialsInUrl, '$1[redacted]@')
    .replace(bearerToken, '$1 [redacted]')
    .replace(privateKey, '[redacted]');
}

/** The maximum length of a logged chain of causes. */
const maxCauses = 3;

/**
 * Returns the logged properties of an error. Other properties are left out, because drivers attach their connections
 * with all their settings.
 */
function describeError(error: unknown, causesLeft = maxCauses): unknown {
  if (!(error instanceof Error)) return error;
  const rule = brokenRule(error);
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...('code' in error ? { code: error.code } : {}),
    ...(rule === undefined ? {} : { brokenRule: rule }),
    ...(error.cause === undefined || causesLeft === 0
      ? {}
      : { cause: describeError(error.cause, causesLeft - 1) }),
  };
}

/**
 * Creates the gateway's structured log: one JSON object per line, on standard output by default. It redacts values
 * under a secret's name, and credentials anywhere in a line, because drivers quote connection strings in their error
 * messages.
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      redact: { paths: redactedPaths, censor: '[redacted]' },
      hooks: { streamWrite: withoutCredentials },
    },
    ...(destination === undefined ? [] : [destination]),
  );
}
