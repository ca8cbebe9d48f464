/**
 * What went wrong with a database call, asked of any error that `database.ts` lets through: Prisma's own,
 * its driver adapter's, node-postgres' or the socket's. Prisma reports one and the same failure in different
 * shapes, depending on whether the statement was raw and on how the connection was lost.
 */

/**
 * The database did not answer, or answered that it cannot now: stopped, restarting, unreachable, overloaded,
 * too slow. The statement may or may not have taken effect if it was a COMMIT. Trying again later is right.
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

/** Another transaction stood in the way (serialization failure, deadlock): the same work may be tried again. */
export function isWriteConflict(error: unknown): boolean {
  const { prismaCode, kind, state } = describe(error);
  return (
    prismaCode === 'P2034' || kind === 'TransactionWriteConflict' || state === '40001' || state === '40P01'
  );
}

/** A row with that key exists. With `constraint`: the key of that name, as the migrations call it. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const { prismaCode, kind, state, constraint: violated } = describe(error);
  const unique = prismaCode === 'P2002' || kind === 'UniqueConstraintViolation' || state === '23505';
  return unique && (constraint === undefined || violated === constraint);
}

/** Reaching the database, reaching it in time, and Prisma's deadlines for a transaction. */
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
 * SQLSTATEs: connection exceptions, insufficient resources, operator intervention (a statement cancelled by
 * its time limit among them), a lock not had in time, a transaction idle or open too long, read-only (a
 * replica during a failover), a refused login; and the codes of a socket that did not connect or hold.
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
}

function describe(error: unknown): Description {
  const code = text(error, 'code');
  const prismaCode = code !== undefined && /^P\d{4}$/.test(code) ? code : undefined;
  // Prisma's errors hold the adapter's in `meta`; an adapter's error on its own is its own cause's holder.
  const cause = field(field(field(error, 'meta'), 'driverAdapterError') ?? error, 'cause');
  return {
    prismaCode,
    kind: text(cause, 'kind'),
    state: text(cause, 'originalCode') ?? (prismaCode === undefined ? code : undefined),
    constraint: text(field(cause, 'constraint'), 'index') ?? text(error, 'constraint'),
    message: text(error, 'message') ?? '',
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined;
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}
