import { DeadlinePassedError, startDeadline } from './deadline.ts';
import { type Document, textOf } from './document.ts';
import { RequestFailedError } from './errors.ts';
import { detailOf, isRecord, readError } from './read-error.ts';
import { fetchToken, type TokenSource } from './token.ts';

export type RequestOptions = {
  /** Milliseconds until the request fails, the time for its token included. Default: 10,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
};

const defaultTimeoutMs = 10_000;

/**
 * Sends one operation over HTTP and returns its data.
 * @throws RequestFailedError when there is no data; the signal's reason when the caller aborted
 */
export async function sendRequest<Result, Variables>(
  { endpoint, token }: { endpoint: string; token: TokenSource },
  document: Document<Result, Variables>,
  variables: Variables,
  { timeoutMs = defaultTimeoutMs, signal }: RequestOptions,
): Promise<Result> {
  const deadline = startDeadline(timeoutMs, signal);
  try {
    const bearer = await fetchToken(token, deadline.signal);
    const body = JSON.stringify({ query: textOf(document), variables });
    const answer = await post(endpoint, bearer, body, deadline.signal);
    return dataOf<Result>(endpoint, answer);
  } finally {
    deadline.clear();
  }
}

type Answer = { status: number; body: unknown };

async function post(endpoint: string, token: string, body: string, signal: AbortSignal): Promise<Answer> {
  let status: number | null = null;
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
      },
      body,
      signal,
    });
    status = response.status;
    return { status, body: await response.json() };
  } catch (cause) {
    if (signal.reason instanceof DeadlinePassedError) {
      throw new RequestFailedError(
        'TIMED_OUT',
        `${endpoint} did not answer${detailOf(signal.reason)}.`,
        status,
        {
          cause,
        },
      );
    }
    signal.throwIfAborted();
    if (status !== null) throw notAGateway(endpoint, status, cause);
    throw new RequestFailedError('UNREACHABLE', `${endpoint} cannot be reached.`, null, { cause });
  }
}

function dataOf<Result>(endpoint: string, { status, body }: Answer): Result {
  if (!isRecord(body)) throw notAGateway(endpoint, status);
  const { data, errors, error } = body as { data?: Result | null; errors?: unknown[]; error?: unknown };
  const [first] = errors ?? (error === undefined ? [] : [error]);
  if (first !== undefined) {
    const { message, code } = readError(first);
    throw new RequestFailedError(code, message, status);
  }
  if (data == null) throw notAGateway(endpoint, status);
  return data;
}

function notAGateway(endpoint: string, status: number, cause?: unknown): RequestFailedError {
  return new RequestFailedError(
    'NOT_A_GATEWAY',
    `The server at ${endpoint} is not a GraphQL server (HTTP ${status}).`,
    status,
    { cause },
  );
}
