/**
 * Classifies the errors of database calls, whether they come from Prisma, its driver adapter, node-postgres or the
 * socket. Prisma reports the same failure in different shapes, depending on whether the statement was raw and on how
 * the connection was lost.
 */

/**
 * Whether the error is transient: the database is stopped, restarting, unreachable, overloaded or too slow. The caller
 * may retry later. If the statement was a COMMIT, it may or may not have taken effect.
 */
export function isUnavailable(error: unknown): boolean {
  const { prismaCode, kind, state, message } = describe(error);
  return (
    (prismaCode !== undefined && unavailablePrismaCodes.has(prismaCode)) ||
    (kind !== undefined && unavailableKinds.has(kind)) ||
    (state !== undefined && unavailableStates.test(state)) ||
    unavailableMessages.test(message)
  );
}

/** Whether the database gave up on a statement that took too long, such as waiting for somebody's lock. */
export function isStatementTimeout(error: unknown): boolean {
  return ['57014', '55P03'].includes(describe(error).state ?? '');
}

/** Whether the transaction conflicted with another one (serialization failure, deadlock) and may be retried. */
export function isWriteConflict(error: unknown): boolean {
  const { prismaCode, kind, state } = describe(error);
  return (
    prismaCode === 'P2034' || kind === 'TransactionWriteConflict' || state === '40001' || state === '40P01'
  );
}

/** Whether a unique constraint was violated; with `constraint`, that one, by its name in the migrations. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const { prismaCode, kind, state, constraint: violated } = describe(error);
  const unique = prismaCode === 'P2002' || kind === 'UniqueConstraintViolation' || state === '23505';
  return unique && (constraint === undefined || violated === constraint);
}

/**
 * The rule of the migrations that a statement or a commit has broken, by its name: a CHECK, a foreign key or a trigger.
 * Undefined for any other error. Commands decide by the same rules, so it is a defect. No retry helps, except where what a
 * foreign key refers to was removed meanwhile.
 */
export function brokenRule(error: unknown): string | undefined {
  const { state, constraint, message, serverMessage = message } = describe(error);
  if (state === undefined || !/^23(514|503|001)$/.test(state)) return undefined;
  return constraint ?? /violates (?:\w+ )*constraint "([^"]+)"/.exec(serverMessage)?.[1];
}

/** Whether a foreign key was violated. */
export function isForeignKeyViolation(error: unknown): boolean {
  const { prismaCode, kind, state } = describe(error);
  return prismaCode === 'P2003' || kind === 'ForeignKeyConstraintViolation' || state === '23503';
}

/** Failed or timed-out connections, refused logins, and Prisma's timeouts for a transaction. */
const unavailablePrismaCodes = new Set([
  'P1000',
  'P1001',
  'P1002',
  'P1003',
  'P1008',
  'P1010',
  'P1011',
  'P1017',
  'P2024',
  'P2028',
  'P2037',
]);

const unavailableKinds = new Set([
  'AuthenticationFailed',
  'ConnectionClosed',
  'DatabaseAccessDenied',
  'DatabaseDoesNotExist',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TlsConnectionError',
  'TooManyConnections',
  'TransactionAlreadyClosed',
]);

/**
 * SQLSTATEs: connection exceptions, insufficient resources, operator intervention (which includes a statement timeout),
 * a lock timeout, a transaction that was idle or open for too long, read-only (a replica during a failover), a refused
 * login; and the error codes of a socket that could not connect or lost its connection.
 */
const unavailableStates =
  /^(08...|28...|53...|57...|3D000|55P03|25P0[34]|25006|ECONN[A-Z]+|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|E(HOST|NET)(UNREACH|DOWN))$/;

const unavailableMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

interface Description {
  readonly prismaCode: string | undefined;
  readonly kind: string | undefined;
  /** The SQLSTATE, or the socket's error code. */
  readonly state: string | undefined;
  readonly constraint: string | undefined;
  readonly message: string;
  /** The database's own message, where the driver adapter quotes it. */
  readonly serverMessage: string | undefined;
}

function describe(error: unknown): Description {
  const code = text(error, 'code');
  const prismaCode = code !== undefined && /^P\d{4}$/.test(code) ? code : undefined;
  // A Prisma error holds the adapter's error in `meta`; without Prisma, `error` is the adapter's error itself.
  const cause = field(field(field(error, 'meta'), 'driverAdapterError') ?? error, 'cause');
  return {
    prismaCode,
    kind: text(cause, 'kind'),
    state: text(cause, 'originalCode') ?? (prismaCode === undefined ? code : undefined),
    constraint: text(field(cause, 'constraint'), 'index') ?? text(error, 'constraint'),
    message: text(error, 'message') ?? '',
    serverMessage: text(cause, 'originalMessage'),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}
