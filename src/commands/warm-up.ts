import { withDeadline } from '../platform/deadline.ts';
import { newId } from '../platform/ids.ts';
import { type Dependencies, execute } from './execute.ts';
import { revokeDataAccess } from './revoke-data-access.ts';

/** Milliseconds. A gateway that is not warm by then starts all the same. */
const patience = 10_000;

/** Rounds until the code is compiled. */
const rounds = 3;

/**
 * Runs a revocation on so many connections at once, and takes it back before it is committed: an operator's, who may not
 * revoke, of a grant that has ended. The first real ones then find connections that are open, statements that are prepared
 * and code that is compiled. Leaves nothing behind, and never fails.
 */
export async function warmUp(dependencies: Dependencies, connections: number): Promise<void> {
  const { database, logger } = dependencies;
  // What is taken back is not counted.
  const { metrics: _metrics, ...settings } = dependencies;
  const takingBack: Dependencies['database'] = {
    ...database,
    transaction: (work) =>
      database.transaction(async (tx) => {
        await work(tx);
        throw new TakenBackError();
      }),
  };
  const revokeOnce = async (grantId: string, accountId: string): Promise<void> => {
    const caller = { accountId, idempotencyKey: newId() };
    await execute(
      { ...settings, database: takingBack },
      revokeDataAccess,
      { grantId, expectedVersion: null, reason: null },
      caller,
    ).catch((error: unknown) => {
      if (!(error instanceof TakenBackError)) throw error;
    });
  };
  const run = async (): Promise<void> => {
    const { rows } = await database.pool.query<{ operator: string | null; grant: string | null }>(
      `SELECT (SELECT id FROM accounts WHERE kind = 'OPERATOR' AND active ORDER BY id LIMIT 1) AS operator,
              (SELECT id FROM grants WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1) AS grant`,
    );
    const operator = rows[0]?.operator ?? newId();
    const grant = rows[0]?.grant ?? newId();
    for (let round = 0; round < rounds; round += 1)
      await Promise.all(Array.from({ length: connections }, () => revokeOnce(grant, operator)));
  };
  try {
    await withDeadline(run(), patience, () => new Error('It took too long'));
  } catch (error) {
    logger.warn({ err: error }, 'The gateway is not warm: its first commands may take longer');
  }
}

class TakenBackError extends Error {}
