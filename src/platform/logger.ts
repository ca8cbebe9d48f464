import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

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
  'connectionString',
  'databaseUrl',
  'redisUrl',
  'smtpUrl',
  'DATABASE_URL',
  'REDIS_URL',
  'SMTP_URL',
  'CURSOR_SECRET',
];

/** Wherever a secret's name may stand in a log object: at the top or up to three levels deep. */
const redactedPaths = secretNames.flatMap((name) => {
  const key = name.includes('-') ? `["${name}"]` : name;
  const nested = name.includes('-') ? key : `.${key}`;
  return [key, `*${nested}`, `*.*${nested}`, `*.*.*${nested}`];
});

const credentialsInUrl = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi;
const bearerToken = /\b(bearer)\s+[\w.~+/=-]+/gi;

/** The same text without the credentials of any URL and without bearer tokens. */
export function withoutCredentials(text: string): string {
  return text.replace(credentialsInUrl, '$1[redacted]@').replace(bearerToken, '$1 [redacted]');
}

/** Causes of causes are followed so far. */
const causesTold = 3;

/**
 * What the log says about an error. Nothing else that hangs on it: drivers attach their connections, with
 * all they hold.
 */
function describeError(error: unknown, causesLeft = causesTold): unknown {
  if (!(error instanceof Error)) return error;
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...('code' in error ? { code: error.code } : {}),
    ...(error.cause === undefined || causesLeft === 0
      ? {}
      : { cause: describeError(error.cause, causesLeft - 1) }),
  };
}

/**
 * The gateway's structured log: one JSON object a line, on standard output unless told otherwise.
 * Values under a secret's name are replaced, and so are credentials inside any line: error messages of
 * drivers quote connection strings.
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
