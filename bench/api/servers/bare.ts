/** The least that answers: `node:http` and `pg`, one statement for each request, with the token verified (or not). */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import type { Answer, Question, TicketPage } from '../questions.ts';
import { type Place, seekPlace, statementOf } from '../sql.ts';
import { type Setting, type Started, serve } from './server.ts';

const connections = 20;

export function serveBare(verifiesTokens: boolean): void {
  serve(async (setting: Setting): Promise<Started> => {
    const pool = new pg.Pool({ connectionString: setting.databaseUrl, max: connections });
    const keys = createLocalJWKSet(setting.jwks);
    const places = new Map<number, Place>();

    async function viewerOf({ authorization = '' }: IncomingMessage['headers']): Promise<string> {
      const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, setting.tokens);
      return String(payload['email']);
    }

    async function placeOf(question: Question): Promise<Place | null> {
      if (question.kind !== 'auditDeep') return null;
      const known = places.get(question.skipped);
      if (known !== undefined) return known;
      const { rows } = await pool.query<Place>(seekPlace, [question.skipped - 1]);
      const place = rows[0] ?? { txid: '0', seq: '0' };
      places.set(question.skipped, place);
      return place;
    }

    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const asked = await readBody(request);
      const viewer = verifiesTokens ? await viewerOf(request.headers) : asked.viewer;
      const question = { ...asked, viewer };
      const { rows } = await pool.query(statementOf(question, await placeOf(question)));
      const body = JSON.stringify(answerOf(question, rows));
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    }

    const server = createServer((request, response) => {
      answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}` };
  });
}

async function readBody(request: IncomingMessage): Promise<Question> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}

// biome-ignore lint/suspicious/noExplicitAny: the rows of a hand-written statement
function answerOf({ kind }: Question, rows: readonly any[]): Answer {
  if (kind === 'outstanding') {
    return rows.map(
      ({ requested_at: requestedAt, approval_due_at: approvalDueAt, engineer, ...ticketOf }) => ({
        ...{ requestedAt, approvalDueAt, engineer, ticket: ticketOf },
      }),
    );
  }
  if (kind === 'ticket') {
    const { grants, ...ticket } = rows[0];
    return {
      ...ticket,
      // biome-ignore lint/suspicious/noExplicitAny: as above
      grants: grants.map(({ state, requested_at, ended_at, engineer, decisions }: any) => ({
        ...{ state, requestedAt: requested_at, endedAt: ended_at, engineer, decisions },
      })),
    } satisfies TicketPage;
  }
  return rows.map(({ occurred_at, action, outcome, actor_name }) => ({
    ...{ occurredAt: occurred_at, action, outcome, actor: actor_name },
  }));
}
