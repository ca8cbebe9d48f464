/**
 * When a held role counts, and when it stops counting.
 *
 * A role pushed by SCIM counts once it is synced. A removed role stops counting at once: its row is deleted
 * (commands/assign-and-remove-roles.ts), and every command and every event reads the present roles. Which roles count
 * for granting on a site's user management experience is in eligibility.ts.
 */
export function counts({ syncState }: { syncState: 'SYNCED' | 'PENDING_SYNC' }): boolean {
  return syncState === 'SYNCED';
}

/** The same rule as an SQL condition on `role_assignments r`. */
export const countsInSql = `r.sync_state = 'SYNCED'`;

/** Since when the role assignment `r` counts, if it does, as an SQL expression. */
export const countsSinceInSql = 'coalesce(r.synced_at, r.created_at)';
