import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { RequestFailedError } from './errors.ts';
import { readError } from './reconnect-policy.ts';

export type RequestOptions = {
  /** Milliseconds until the request fails with TIMED_OUT. Default: 10,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
};

const defaultTimeoutMs = 10_000;

/**
 * Sends one operation over HTTP and returns its data.
 * @throws RequestFailedError when there is no data; the signal's reason when the caller aborted
 */
export async function sendRequest<Result, Variables>(
  { endpoint, getToken }: { endpoint: string; getToken: () => Promise<string> },
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
  { timeoutMs = defaultTimeoutMs, signal }: RequestOptions,
): Promise<Result> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const token = await getToken();
  let status: number | null = null;
  let body: unknown;
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
      },
      body: JSON.stringify({ query: textOf(document), variables }),
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    status = response.status;
    body = await response.json();
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) {
      throw new RequestFailedError(
        'TIMED_OUT',
        `${endpoint} did not answer within ${timeoutMs} ms.`,
        status,
        {
          cause: error,
        },
      );
    }
    if (status === null) {
      throw new RequestFailedError('UNREACHABLE', `${endpoint} cannot be reached.`, null, { cause: error });
    }
    throw notAGateway(endpoint, status, error);
  }
  if (typeof body !== 'object' || body === null) throw notAGateway(endpoint, status);
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

const texts = new WeakMap<object, string>();

/** Prints the document. The text is cached. */
export function textOf(document: TypedDocumentNode<unknown, never>): string {
  const known = texts.get(document);
  if (known !== undefined) return known;
  const text = print(document);
  texts.set(document, text);
  return text;
}
