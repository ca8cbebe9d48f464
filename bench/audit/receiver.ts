/** An endpoint on this machine that accepts everything, and knows when each entry came. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerRequests } from '../realtime/processes.ts';

type Message = { body: string; headers: Record<string, string>; at: number; entries: number };

let messages: Message[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    const body = Buffer.concat(chunks).toString();
    // How many there are, without reading them: others are at work meanwhile.
    const entries = body.split('"position":').length + body.split('"sequence":').length - 2;
    const names = ['content-type', 'webhook-id', 'webhook-timestamp', 'webhook-signature'];
    const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
    messages.push({ body, headers, entries, at: Date.now() });
  });
});

const handlers = {
  async start(): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  },
  forget: (): void => {
    messages = [];
  },
  /** How many entries have come, and over how many seconds. */
  received: (): { entries: number; messages: number; seconds: number } => ({
    entries: messages.reduce((sum, { entries }) => sum + entries, 0),
    messages: messages.length,
    seconds: ((messages.at(-1)?.at ?? 0) - (messages[0]?.at ?? 0)) / 1_000,
  }),
  /** Milliseconds from when each entry was written until it came. */
  lags: (): number[] =>
    messages.flatMap(({ body, at }) => {
      const { data } = JSON.parse(body) as { data: { entries: { occurredAt: string }[] } };
      return data.entries.map(({ occurredAt }) => at - Date.parse(occurredAt));
    }),
  messages: (): Pick<Message, 'body' | 'headers'>[] =>
    messages.map(({ body, headers }) => ({ body, headers })),
};

export type ReceiverHandlers = typeof handlers;

answerRequests(handlers);
