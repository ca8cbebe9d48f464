/** On whose logs it is recorded that somebody has read entries. Pure functions. */
import type { AuditPlace } from '../audit/filter.ts';
import { isReading } from '../audit/readings.ts';
import type { Viewer } from '../identity/viewer.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';

/** What was shown of an entry, as far as it matters here. */
export type ShownEntry = { readonly organizationId: string | null; readonly action: string };

/**
 * The logs that were read, by their organizations. A customer's readers have read the logs in which they have looked. The
 * vendor's people look everywhere: they have read the vendor's log, and those of which they were shown entries. Entries about
 * readings do not count for that: whoever follows all logs would otherwise leave an entry of having read the last one, for ever.
 */
export function logsRead(
  viewer: Viewer,
  places: readonly AuditPlace[],
  shown: readonly ShownEntry[],
): string[] {
  if (!isOfVendor(viewer)) return [...new Set(places.flatMap((place) => logOf(viewer, place) ?? []))];
  const read = shown
    .filter(({ action }) => !isReading(action))
    .flatMap(({ organizationId }) => organizationId ?? []);
  return [...new Set([vendorOrganizationId, ...read])];
}

/** The logs in which somebody looks, by their organizations. `ANY`: it may be any log. */
export function logsLookedIn(viewer: Viewer, places: readonly AuditPlace[]): ReadonlySet<string> | 'ANY' {
  const logs = places.map((place) => logOf(viewer, place));
  return logs.includes(undefined) ? 'ANY' : new Set(logs.filter((log) => log !== undefined));
}

/**
 * Whether the readers of this log may know what was asked for. A filter may name what belongs to another log, so only those know it
 * of which nothing else was read; and of the vendor's people, the vendor.
 */
export function showsAsked(viewer: Viewer, logId: string, logs: readonly string[]): boolean {
  return isOfVendor(viewer) ? logId === vendorOrganizationId : logs.length === 1;
}

function isOfVendor(viewer: Viewer): boolean {
  return viewer.kind === 'SERVICE_ACCOUNT' ? viewer.organizationId === null : viewer.kind !== 'USER';
}

function logOf(viewer: Viewer, { organizationId, siteId }: AuditPlace): string | undefined {
  if (organizationId !== undefined || viewer.kind !== 'USER') return organizationId;
  return viewer.assignments.find((held) => held.siteId === siteId)?.organizationId;
}
