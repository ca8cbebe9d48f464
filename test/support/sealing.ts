import type pg from 'pg';
import { expect } from 'vitest';
import { createSealer } from '../../src/audit/sealing.ts';
import type { Logger } from '../../src/platform/logger.ts';
import { type LogKeys, readLogKeys } from '../../src/transparency/log-keys.ts';
import { newSigningKey } from '../../src/transparency/signed-note.ts';
import { giveAllPositions } from './positions.ts';

/** The texts of keys of this name, as they are configured. */
export const signingKeys = (count = 1, name = 'log.example/audit/log'): string[] =>
  Array.from({ length: count }, () => newSigningKey(name));

export function logKeys(texts: readonly string[]): LogKeys {
  const keys = readLogKeys(texts);
  if (keys === null) throw new Error('These are no keys of logs');
  return keys;
}

/** Gives positions to all entries and seals them, as the background jobs of a gateway do. Returns what was logged. */
export async function sealAll(pool: pg.Pool, keys: LogKeys): Promise<string[]> {
  await giveAllPositions(pool);
  const logged: string[] = [];
  const log = (fields: { err?: Error }, message: string) => logged.push(`${message}: ${fields.err?.message}`);
  const logger = { error: log, warn: log } as unknown as Logger;
  const sealer = createSealer({ pool, keys, clock: () => new Date(), logger });
  while (await sealer.seal());
  return logged;
}

/** The size of each log's head. */
export async function sizesOfHeads(pool: pg.Pool): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ log: string; size: number }>(
    'SELECT organization_id AS log, max(size)::int AS size FROM audit_checkpoints GROUP BY organization_id',
  );
  expect(rows.length).toBeGreaterThan(0);
  return Object.fromEntries(rows.map(({ log, size }) => [log, size]));
}
