/**
 * For how long an organization keeps the entries of its audit log. Pure.
 *
 * A shorter retention takes effect later than it is set, so that nobody who has taken over an account destroys the log at once. The
 * database sees to that as well, and to what may be removed: prisma/migrations/20261219000000_audit_retention.
 */

/** The bounds of a retention, in days. A CHECK of the database has the same. */
export const shortestRetention = 180;
export const longestRetention = 3_650;

const dayMs = 24 * 60 * 60 * 1_000;

/** Milliseconds from when a shorter retention is set until it takes effect: 7 days. */
export const shorteningDelay = 7 * dayMs;

/** As an organization has it, in days. Null: entries are kept for ever. */
export type AuditRetention = {
  readonly auditRetentionDays: number | null;
  /** From when on that counts. Null: since it was set. */
  readonly auditRetentionEffectiveAt: Date | null;
  /** What counts until then. */
  readonly auditRetentionDaysBefore: number | null;
};

export const keptForEver: AuditRetention = {
  auditRetentionDays: null,
  auditRetentionEffectiveAt: null,
  auditRetentionDaysBefore: null,
};

/** The retention that counts at `now`, in days. */
export function retentionInEffect(retention: AuditRetention, now: Date): number | null {
  const { auditRetentionEffectiveAt: effectiveAt } = retention;
  return effectiveAt !== null && effectiveAt > now
    ? retention.auditRetentionDaysBefore
    : retention.auditRetentionDays;
}

/** Whether entries are kept for a shorter time after the change. */
export function shortens(before: number | null, after: number | null): boolean {
  return (after ?? Number.POSITIVE_INFINITY) < (before ?? Number.POSITIVE_INFINITY);
}

/** The retention once it was set to so many days at `now`. */
export function withRetention(present: AuditRetention, days: number | null, now: Date): AuditRetention {
  if (days === present.auditRetentionDays) return present;
  const inEffect = retentionInEffect(present, now);
  return shortens(inEffect, days)
    ? {
        auditRetentionDays: days,
        auditRetentionEffectiveAt: new Date(now.getTime() + shorteningDelay),
        auditRetentionDaysBefore: inEffect,
      }
    : { ...keptForEver, auditRetentionDays: days };
}
