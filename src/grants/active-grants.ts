import type { Transaction } from '../platform/database.ts';
import { listPages, type PageWindow } from '../platform/page-windows.ts';

export type ActiveGrantsWindow = PageWindow & { siteId: string };

/** Pages of the ids of the grants that are active on these sites at `now`. */
export async function listActiveGrants(
  db: Transaction,
  windows: readonly ActiveGrantsWindow[],
  now: Date,
): Promise<{ id: string }[][]> {
  return await listPages<{ id: string }, ActiveGrantsWindow>(db, windows, activeGrantsSql, now);
}

const activeGrantsSql = (order: PageWindow['order']): string => `
  SELECT asked.place, active.id
    FROM jsonb_to_recordset($1::jsonb) AS asked(place int, "siteId" uuid, below uuid, above uuid, "limit" int)
   CROSS JOIN LATERAL (
     SELECT g.id FROM grants g
      WHERE g.site_id = asked."siteId" AND g.state = 'ACTIVE'
        -- What has ended with its site or its licence is not settled for a while.
        AND EXISTS (SELECT FROM sites s WHERE s.id = asked."siteId" AND s.status = 'ACTIVE')
        AND NOT EXISTS (SELECT FROM products p JOIN tickets t ON t.product_id = p.id
                         WHERE p.site_id = asked."siteId" AND p.unsettled_since IS NOT NULL AND t.id = g.ticket_id)
        AND (g.expires_at IS NULL OR g.expires_at > $2::timestamptz)
        AND g.id > COALESCE(asked.above, '00000000-0000-0000-0000-000000000000')
        AND g.id < COALESCE(asked.below, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      ORDER BY g.id ${order} LIMIT asked."limit") AS active
   ORDER BY asked.place, active.id ${order}`;
