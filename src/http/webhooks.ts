/** `POST /webhooks/tickets/<integration>`: the signed events of ticketing systems (docs/webhooks.md). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  onceAMinute,
  type WebhookCounters,
  type WebhookResult,
  webhookResults,
} from '../webhooks/counters.ts';
import type { Integration, Receipt } from '../webhooks/receive.ts';
import {
  isFresh,
  isSignedBy,
  readHeaders,
  type SignedHeaders,
  toleranceSeconds,
} from '../webhooks/signature.ts';
import { readTicketEvent, type TicketEvent } from '../webhooks/ticket-event.ts';
import type { WhileArriving } from './arriving-bodies.ts';
import type { Log } from './log.ts';
import { parseJson, readBytes, requireBodyWithin, requireJson, textOf } from './request-body.ts';
import { RequestRefusedError } from './request-refused.ts';
import { sendJson } from './responses.ts';
import { pathOf, type Route } from './routes.ts';
import type { SourceOf } from './source-of.ts';

export type TicketWebhooks = {
  integrations: readonly Integration[];
  /** Takes in a verified event. */
  receive: (integration: Integration, webhookId: string, event: TicketEvent) => Promise<Receipt>;
  /** The time of the database. */
  clock: () => Date;
  counters: WebhookCounters;
};

/** Bytes of one event. Standard Webhooks recommends fewer than 20 kB. */
const maxBodyBytes = 64 * 1024;

const folder = '/webhooks/tickets/';

export function ticketWebhookRoute({
  log,
  whileArriving,
  ...webhooks
}: TicketWebhooks & { log: Log; sourceOf: SourceOf; whileArriving: WhileArriving }): Route {
  const { counters, sourceOf } = webhooks;
  const timesToTell = onceAMinute<WebhookResult>(() => performance.now());

  function countRefusal(error: unknown, request: IncomingMessage): void {
    const code = codeOf(error);
    counters.count(code);
    const times = timesToTell(code);
    if (times === null) return;
    const reason = error instanceof RequestRefusedError ? error.message : 'It could not be taken in.';
    const path = pathOf(request)?.slice(0, 100);
    log.warn({ ...sourceOf(request), path, code, times, reason }, 'Webhooks were refused');
  }

  return {
    path: new RegExp(`^${folder}[^/]+$`),
    methods: {
      async POST(request, response) {
        try {
          const sender = JSON.stringify([pathOf(request), sourceOf(request).clientAddress]);
          const reading: Reading = (read) => whileArriving(sender, response, read);
          const receipt = await takeIn(request, webhooks, reading);
          answer(receipt, response);
          counters.count(receipt.result);
        } catch (error) {
          countRefusal(error, request);
          throw error;
        }
      },
    },
  };
}

/** Reads a body, of which only its end shows whether the ticketing system has sent it. */
type Reading = (read: () => Promise<Buffer>) => Promise<Buffer>;

type Answered = Exclude<Receipt, { result: 'NO_ACCOUNT' | 'TOO_MANY_NOT_APPLIED' }> | { result: 'IGNORED' };

async function takeIn(
  request: IncomingMessage,
  webhooks: TicketWebhooks,
  reading: Reading,
): Promise<Answered> {
  const { integrations, clock, receive } = webhooks;
  const name = pathOf(request)?.slice(folder.length);
  const integration = integrations.find((one) => one.name === name);
  if (integration === undefined)
    throw new RequestRefusedError(404, 'NOT_FOUND', 'There is no ticketing system of this name.');
  const { headers, body } = await readSigned(request, integration, clock, reading);
  const latest = new Date(clock().getTime() + toleranceSeconds * 1_000);
  const read = readTicketEvent(parseJson(textOf(body)), latest);
  if ('problem' in read)
    throw new RequestRefusedError(400, 'BAD_REQUEST', `The event is not valid: ${read.problem}.`);
  if ('ignored' in read) return { result: 'IGNORED' };
  return accepted(await receive(integration, headers.id, read.event));
}

/** Reads the whole body. Nothing of it is looked at before its signature was. */
async function readSigned(
  request: IncomingMessage,
  { secrets }: Integration,
  clock: () => Date,
  reading: Reading,
): Promise<{ headers: SignedHeaders; body: Buffer }> {
  requireJson(request);
  requireBodyWithin(request, maxBodyBytes);
  const headers = readHeaders((name) => request.headersDistinct[name]?.join(' '));
  if (headers === 'MALFORMED')
    throw new RequestRefusedError(
      400,
      'BAD_REQUEST',
      'webhook-id must be 1 to 100 visible ASCII characters without a full stop, and webhook-timestamp seconds since 1970.',
    );
  if (headers === 'UNSIGNED')
    throw new RequestRefusedError(
      401,
      'WEBHOOK_UNSIGNED',
      'Sign the event by Standard Webhooks: webhook-id, webhook-timestamp and webhook-signature.',
    );
  if (!isFresh(headers, clock()))
    throw new RequestRefusedError(
      401,
      'WEBHOOK_STALE',
      `webhook-timestamp is more than ${toleranceSeconds} seconds from the present time. Sign each attempt anew.`,
    );
  const body = await reading(() => readBytes(request, maxBodyBytes));
  if (!isSignedBy(secrets, headers, body))
    throw new RequestRefusedError(
      401,
      'WEBHOOK_WRONG_SIGNATURE',
      'No signature in webhook-signature is that of a secret of this ticketing system over these bytes.',
    );
  return { headers, body };
}

/** @throws RequestRefusedError 503 for an event that was not taken in, so that it is sent again. */
function accepted(receipt: Receipt): Answered {
  switch (receipt.result) {
    case 'NO_ACCOUNT':
      throw new RequestRefusedError(
        503,
        'SERVICE_UNAVAILABLE',
        'The service account of this ticketing system does not exist, is not active, or lacks the capability TICKETING.',
      );
    case 'TOO_MANY_NOT_APPLIED':
      throw new RequestRefusedError(
        503,
        'SERVICE_UNAVAILABLE',
        'Too many events of this ticketing system wait to be looked at: an operator has to replay them.',
      );
    default:
      return receipt;
  }
}

/** 204 for an event that was applied, or that is none of ours; 202 for one that was kept. A repetition gets the first answer. */
function answer(receipt: Answered, response: ServerResponse): void {
  const isApplied =
    receipt.result === 'REPEATED'
      ? receipt.wasApplied
      : receipt.result === 'APPLIED' || receipt.result === 'IGNORED';
  if (isApplied) response.writeHead(204, { 'cache-control': 'no-store' }).end();
  else sendJson(response, 202, { status: 'KEPT' });
}

/** What a refusal counts as. */
function codeOf(error: unknown): WebhookResult {
  const code = error instanceof RequestRefusedError ? error.code : 'SERVICE_UNAVAILABLE';
  return webhookResults.find((known) => known === code) ?? 'SERVICE_UNAVAILABLE';
}
