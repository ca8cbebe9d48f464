/** Ticketing systems that send signed events to a gateway: one signs with the library of Standard Webhooks, one by hand. */
import { createHmac, randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { generousMs } from '../support/deadlines.ts';

export const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

/** Signs a body for an attempt at this time. */
export type Sign = (secret: string, id: string, at: Date, body: string | Buffer) => string;

export const signByLibrary: Sign = (secret, id, at, body) => new Webhook(secret).sign(id, at, body);

export const signByHand: Sign = (secret, id, at, body) => {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = createHmac('sha256', key)
    .update(`${id}.${Math.floor(at.getTime() / 1_000)}.`)
    .update(body);
  return `v1,${signed.digest('base64')}`;
};

export type Delivery = {
  /** The path of the URL that it is sent to, after `/webhooks/tickets/`. */
  to: string;
  secret: string;
  body: string | Buffer;
  id?: string;
  /** The time of the attempt. */
  at?: Date;
  sign?: Sign;
  /** Instead of those of a signed event; undefined: left out. */
  headers?: Record<string, string | undefined>;
};

export type Reply = { status: number; text: string; headers: Headers };

export async function deliver(
  { url }: { url: string },
  {
    to,
    secret,
    body,
    id = `msg_${randomUUID()}`,
    at = new Date(),
    sign = signByHand,
    headers = {},
  }: Delivery,
): Promise<Reply> {
  const all = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': sign(secret, id, at, body),
    ...headers,
  };
  const response = await fetch(`${url}/webhooks/tickets/${to}`, {
    method: 'POST',
    headers: Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    body: typeof body === 'string' ? body : new Uint8Array(body),
    signal: AbortSignal.timeout(generousMs),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
