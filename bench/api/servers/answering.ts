/** The least of an HTTP server: JSON in, JSON out. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Started } from './server.ts';

/** Listens on a free port. @param answer resolves to what is sent as JSON; if it rejects, 500 is */
export async function answerWith(answer: (request: IncomingMessage) => Promise<unknown>): Promise<Started> {
  const server = createServer((request, response) => {
    answer(request).then(
      (answered) => {
        const body = JSON.stringify(answered);
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        });
        response.end(body);
      },
      (error: unknown) => void response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}` };
}

export async function readBody<Body>(request: IncomingMessage): Promise<Body> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}
