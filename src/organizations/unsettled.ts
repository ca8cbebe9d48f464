/**
 * Sites and licences that have ended before all that was open there is written as over. They end in a short transaction,
 * whatever is open; background jobs write the rest. Meanwhile nothing there is usable, and what is open is shown, and
 * treated by every command, as it will be written: over since the end.
 */
import type { Product, Site } from './store.ts';

/** The end of a site or a licence: why, since when, and whose doing it is. */
export type EndOfPlace = {
  reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED';
  since: Date;
  byId: string;
};

type Mark = Pick<Site | Product, 'unsettledSince' | 'unsettledById'>;

/** What ended the use of everything on the site and product that is still open; null: nothing did. The first end counts. */
export function endOfPlace({ site, product }: { site: Mark; product: Mark }): EndOfPlace | null {
  const ofSite = endBy(site, 'SITE_DEACTIVATED');
  const ofLicence = endBy(product, 'PRODUCT_UNLICENSED');
  if (ofSite === null || ofLicence === null) return ofSite ?? ofLicence;
  return ofLicence.since <= ofSite.since ? ofLicence : ofSite;
}

function endBy({ unsettledSince, unsettledById }: Mark, reason: EndOfPlace['reason']): EndOfPlace | null {
  // A kept answer of an earlier version has no mark.
  if (unsettledSince == null || unsettledById == null) return null;
  return { reason, since: unsettledSince, byId: unsettledById };
}

/** Milliseconds for which a site is remembered. An operation reads anew which there are, and lasts less. */
const rememberedFor = 60_000;

/**
 * The sites on which something may be unsettled, as far as this gateway knows. Every operation reads them with its viewer,
 * before anything else. It only says where to look: what is shown comes from the marks in the database.
 */
export type UnsettledSites = {
  note(siteIds: readonly string[]): void;
  has(siteId: string): boolean;
  list(): string[];
};

export function createUnsettledSites(): UnsettledSites {
  const readAt = new Map<string, number>();
  const forget = () => {
    const past = performance.now() - rememberedFor;
    for (const [id, at] of readAt) if (at < past) readAt.delete(id);
  };
  return {
    note: (siteIds) => {
      for (const id of siteIds) readAt.set(id, performance.now());
    },
    has: (siteId) => readAt.has(siteId),
    list: () => {
      if (readAt.size > 0) forget();
      return [...readAt.keys()];
    },
  };
}
