/** Sends one message to an endpoint: signed, with a deadline, only to an address that is allowed, and never where it redirects to. */
import { type LookupAddress, lookup as resolve } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { IsTrusted } from '../../platform/client-address.ts';
import { addressIn, isAllowedAddress } from './endpoint.ts';
import type { Message } from './messages.ts';
import type { Answer } from './retry.ts';

/** Milliseconds for an endpoint to answer. */
const answerMs = 15_000;
/** Bytes of an answer that are read, so that its connection can be used again. */
const readBytes = 64 * 1024;

export type Post = {
  /** Resolves whatever happens. `signal` gives the attempt up. */
  send(
    to: { readonly url: string; readonly secrets: readonly string[] },
    message: Message,
    now: Date,
    signal: AbortSignal,
  ): Promise<Answer>;
  dispose(): void;
};

/** @param isAllowed the networks that are allowed besides public addresses, and without TLS */
export function createPost(isAllowed: IsTrusted, deadlineMs = answerMs): Post {
  const options = { keepAlive: true, maxSockets: 100, maxFreeSockets: 100, timeout: 60_000 };
  const agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };

  function lookupFor(protocol: string): LookupFunction {
    return (hostname, asked, done) => {
      resolve(hostname, { ...asked, all: true }, (error, found) => {
        if (error !== null) return done(error, []);
        const allowed = found.filter(({ address }) => isAllowedAddress(address, protocol, isAllowed));
        const [first] = allowed;
        if (first === undefined) return done(new AddressRefusedError(), []);
        if (asked.all === true) return done(null, allowed as LookupAddress[]);
        done(null, first.address, first.family);
      });
    };
  }

  return {
    async send({ url, secrets }, message, now, signal) {
      const parsed = new URL(url);
      const { protocol, hostname } = parsed;
      // Node looks up no host that is an address.
      const address = addressIn(hostname);
      if (address !== null && !isAllowedAddress(address, protocol, isAllowed))
        return { error: refusedAddress };
      const [request, agent] =
        protocol === 'https:'
          ? ([requestHttps, agents.https] as const)
          : ([requestHttp, agents.http] as const);
      const body = Buffer.from(message.body);
      const { promise, resolve: answer } = Promise.withResolvers<Answer>();
      const sent = request(parsed, {
        method: 'POST',
        ...{ agent, lookup: lookupFor(protocol) },
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          'user-agent': 'Latchkey',
          'webhook-id': message.id,
          'webhook-timestamp': Math.floor(now.getTime() / 1_000),
          'webhook-signature': secrets
            .map((secret) => new Webhook(secret).sign(message.id, now, message.body))
            .join(' '),
        },
      });
      sent.once('response', (response) => {
        answer(answerIn(response));
        drop(response);
      });
      sent.on('error', (error) => answer({ error: wordsFor(error, deadlineMs) }));
      sent.end(body);
      return await promise;
    },
    dispose() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

function answerIn({ statusCode = 0, headers }: IncomingMessage): Answer {
  return { status: statusCode, retryAfter: headers['retry-after'] };
}

/** Reads the rest of a short answer. A long one, or one that never ends, loses its connection. */
function drop(response: IncomingMessage): void {
  let bytes = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > readBytes) response.destroy();
  });
}

class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
}

const refusedAddress =
  'The URL leads to an address that is private, local or reserved, to which nothing is sent.';

/** For the customer: it names what they can look for, and nothing of the gateway. */
function wordsFor(error: Error & { code?: string }, deadlineMs: number): string {
  if (error instanceof AddressRefusedError) return refusedAddress;
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return `The endpoint did not answer within ${deadlineMs / 1_000} seconds.`;
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The host of the URL could not be resolved.';
    case 'ECONNREFUSED':
      return 'The endpoint refused the connection.';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'The endpoint closed the connection before it answered.';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'The endpoint could not be reached.';
    default:
      return /CERT|TLS|SSL|SELF_SIGNED|ALTNAME/.test(error.code ?? '')
        ? `The certificate or the TLS of the endpoint was not accepted (${error.code}).`
        : 'The request to the endpoint failed.';
  }
}
