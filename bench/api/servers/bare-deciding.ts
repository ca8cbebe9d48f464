/**
 * The least that decides: `node:http` and `pg`, with the token verified. It writes the rows that Latchkey writes for an approval
 * and a revocation, after reading whether the viewer is an admin of the grant's organization.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { type Deciding, inOneStatement, statementsOf } from '../deciding-sql.ts';
import { type Setting, type Started, serve } from './server.ts';

const connections = 20;

/** @param isOneStatement whether a decision is one statement, or a transaction with one for each table */
export function serveBareDecisions(isOneStatement: boolean) {
  return serve(async (setting: Setting): Promise<Started> => {
    const pool = new pg.Pool({ connectionString: setting.databaseUrl, max: connections });
    const keys = createLocalJWKSet(setting.jwks);

    async function decideInOne(deciding: Deciding): Promise<boolean> {
      const { rows } = await pool.query(inOneStatement(deciding));
      return rows.length === 1;
    }

    async function decideInTransaction(deciding: Deciding): Promise<boolean> {
      const client = await pool.connect();
      try {
        const [lock, ...writes] = statementsOf(deciding);
        await client.query('BEGIN');
        const { rows } = await client.query(lock);
        if (rows.length === 1) for (const statement of writes) await client.query(statement);
        await client.query('COMMIT');
        return rows.length === 1;
      } finally {
        client.release();
      }
    }

    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { authorization = '' } = request.headers;
      const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, setting.tokens);
      const { grantId, action } = await readBody(request);
      const deciding = { grantId, action, email: String(payload['email']) };
      const isDone = await (isOneStatement ? decideInOne : decideInTransaction)(deciding);
      const body = JSON.stringify({ state: isDone ? stateAfter[action] : null });
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

const stateAfter = { APPROVE: 'ACTIVE', REVOKE: 'REVOKED' } as const;

async function readBody(request: IncomingMessage): Promise<Pick<Deciding, 'grantId' | 'action'>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}
