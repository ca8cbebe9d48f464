/** The least that answers from a database and keeps a record: one indexed read and one insert for each request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { answerRequests } from '../../realtime/processes.ts';
import type { Setting, Started } from './setting.ts';

const table = `
  CREATE TABLE bare_entries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), occurred_at timestamptz NOT NULL DEFAULT now(),
    engineer text NOT NULL, action text NOT NULL, resource text NOT NULL, decision boolean NOT NULL)`;

async function start({ databaseUrl }: Setting): Promise<Started> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
  await pool.query(table);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const { subject, action, resource, context } = JSON.parse(text);
    const { rows } = await pool.query({
      name: 'read',
      text: 'SELECT status FROM tickets WHERE key = $1',
      values: [context.ticket],
    });
    const decision = rows[0]?.status === 'OPEN';
    await pool.query({
      name: 'record',
      text: 'INSERT INTO bare_entries (engineer, action, resource, decision) VALUES ($1, $2, $3, $4)',
      values: [subject.id, action.name, resource.id, decision],
    });
    const body = JSON.stringify({ decision });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}` };
}

answerRequests({ start });
