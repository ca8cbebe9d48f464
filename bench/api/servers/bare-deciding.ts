/**
 * The least that decides: `node:http` and `pg`, with the token verified. It writes the rows that Latchkey writes for an approval
 * and a revocation, after reading whether the viewer is an admin of the grant's organization.
 */
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { type Deciding, inOneStatement, statementsOf } from '../deciding-sql.ts';
import { answerWith, readBody } from './answering.ts';
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

    const decide = isOneStatement ? decideInOne : decideInTransaction;
    return await answerWith(async (request) => {
      const { authorization = '' } = request.headers;
      const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, setting.tokens);
      const asked = await readBody<Pick<Deciding, 'grantId' | 'action'>>(request);
      const isDone = await decide({ ...asked, email: String(payload['email']) });
      return { state: isDone ? stateAfter[asked.action] : null };
    });
  });
}

const stateAfter = { APPROVE: 'ACTIVE', REVOKE: 'REVOKED' } as const;
