import { newId } from '../../src/platform/ids.ts';
import type { TestGateway } from './gateway.ts';
import { rawId } from './rows.ts';

/**
 * Begins consented changes, each in a new session under the active grant of its ticket, as the decision point does for a
 * product's backend. `ids` are global ids.
 */
export async function beginChanges({ sql }: Pick<TestGateway, 'sql'>, ids: readonly string[]): Promise<void> {
  const { rowCount } = await sql.query(
    `WITH begun AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS begun (change_id, session_id)),
          opened AS (
       INSERT INTO support_sessions (id, grant_id, ticket_id, site_id, organization_id, engineer_id, reason, note, country,
                                     started_at, last_used_at, idle_seconds, expires_at, due_at, version)
       SELECT begun.session_id, g.id, g.ticket_id, g.site_id, c.organization_id, g.engineer_id, 'APPLY_CHANGE', 'Apply it',
              'NL', now(), now(), 1800, now() + interval '1 hour', now() + interval '30 minutes', 1
         FROM begun JOIN change_requests c ON c.id = begun.change_id
         JOIN grants g ON g.ticket_id = c.ticket_id AND g.state = 'ACTIVE'
       RETURNING id)
     UPDATE change_requests c
        SET state = 'IN_PROGRESS', allowed_at = greatest(now(), c.decided_at), session_id = opened.id, version = c.version + 1
       FROM begun JOIN opened ON opened.id = begun.session_id WHERE c.id = begun.change_id`,
    [ids.map(rawId), ids.map(() => newId())],
  );
  if (rowCount !== ids.length) throw new Error(`Began ${rowCount} of ${ids.length} changes`);
}
