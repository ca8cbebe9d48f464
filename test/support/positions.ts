import type pg from 'pg';
import { expect } from 'vitest';
import { givePositions } from '../../src/audit/positions.ts';
import { eventually } from './eventually.ts';

/**
 * Gives positions to all entries of the audit log, at most so many at once, as the background job of a gateway does. Waits
 * for open transactions of the whole server: other tests have some.
 */
export async function giveAllPositions(pool: pg.Pool, atOnce = 1_000): Promise<void> {
  await eventually(async () => expect(await givePositions(pool, atOnce)).toMatchObject({ waiting: false }));
}
