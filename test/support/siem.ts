/** An endpoint of the audit log, as a customer runs one: it verifies what it gets, and answers as a test wants. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Json } from './gateway.ts';

export type Received = {
  id: string;
  path: string;
  body: Json;
  text: string;
  /** How many of its signatures are by one of the secrets: by the library, and by node:crypto. */
  signatures: number;
};

/** Answers a message; what it leaves unanswered stays so. */
export type Respond = (response: ServerResponse, message: Received) => void;

export type Siem = {
  readonly url: string;
  /** Every message that arrived, also those that were not accepted. */
  readonly received: Received[];
  /** The positions of the entries that were accepted, in the order in which they came. */
  readonly accepted: number[];
  readonly secrets: string[];
  respond: Respond;
} & AsyncDisposable;

/** @param tls it answers over TLS, with this certificate */
export async function startSiem(tls?: Pick<ServerOptions, 'key' | 'cert'>): Promise<Siem> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const message = read(request, Buffer.concat(chunks).toString(), siem.secrets);
      siem.received.push(message);
      response.once('finish', () => {
        if (response.statusCode < 300)
          siem.accepted.push(...message.body.data.entries.map(({ position }: Json) => position));
      });
      siem.respond(response, message);
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const siem: Siem = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/latchkey`,
    ...{ received: [], accepted: [], secrets: [] },
    respond: accept,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return siem;
}

export const accept: Respond = (response) => void response.writeHead(204).end();

export const refuse =
  (status: number, headers: Record<string, string> = {}): Respond =>
  (response) =>
    void response.writeHead(status, headers).end('no');

function read(request: IncomingMessage, text: string, secrets: readonly string[]): Received {
  const header = (name: string) => String(request.headers[name] ?? '');
  const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(header);
  const given = (signature ?? '').split(' ');
  const isSigned = (secret: string) => {
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
    const own = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64')}`;
    const byHand = given.some(
      (one) => one.length === own.length && timingSafeEqual(Buffer.from(one), Buffer.from(own)),
    );
    return (
      byHand && given.includes(new Webhook(secret).sign(id ?? '', new Date(Number(timestamp) * 1_000), text))
    );
  };
  return {
    ...{ id: id ?? '', path: request.url ?? '', text, body: JSON.parse(text) },
    signatures: secrets.filter(isSigned).length,
  };
}
