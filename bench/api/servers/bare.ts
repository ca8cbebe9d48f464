/** The least that answers: `node:http` and `pg`, one statement for each request, with the token verified (or not). */
import type { IncomingMessage } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import type { Answer, Question, TicketPage } from '../questions.ts';
import { type Place, seekPlace, statementOf } from '../sql.ts';
import { answerWith, readBody } from './answering.ts';
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

    return await answerWith(async (request) => {
      const asked = await readBody<Question>(request);
      const viewer = verifiesTokens ? await viewerOf(request.headers) : asked.viewer;
      const question = { ...asked, viewer };
      const { rows } = await pool.query(statementOf(question, await placeOf(question)));
      return answerOf(question, rows);
    });
  });
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
