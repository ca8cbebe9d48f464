/** The commands that change a site, and what each does to the grants on it. */
import type { GrantCommand } from '../grants/lifecycle.ts';
import { listOpenGrantsOfSite, type OpenGrants } from '../grants/store.ts';
import type { Site, SiteWithOrganization } from '../organizations/store.ts';
import { applyTimeLimits, changeOpenGrants } from './change-grant.ts';
import type { DecisionContext, Outcome } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { invalidState } from './refusal.ts';
import { siteCommand } from './site-command.ts';

/** Deactivating a site ends the pending and active grants on it, so that none comes back with the site. */
export const deactivateSite = siteCommand<{ siteId: string }, Site, { open: OpenGrants }>({
  operation: 'deactivateSite',
  action: 'site.deactivate',
  refusals: ['SITE_DEACTIVATED'],
  extra: async (tx, { siteId }) => ({ open: await listOpenGrantsOfSite(tx, siteId, null) }),
  decide: ({ site, open }, _, by) => {
    if (site.status === 'DEACTIVATED') {
      return { refused: invalidState('SITE_DEACTIVATED', 'The site is deactivated already.') };
    }
    return {
      ...change(site, { status: 'DEACTIVATED' }),
      grants: endGrants(open, { type: 'DeactivateSite', by: by.viewer.id }, site, by),
    };
  },
});

/** The site accepts grants again; none of the old ones comes back. */
export const reactivateSite = siteCommand<{ siteId: string }, Site>({
  operation: 'reactivateSite',
  action: 'site.reactivate',
  refusals: ['SITE_NOT_DEACTIVATED'],
  decide: ({ site }) =>
    site.status === 'ACTIVE'
      ? { refused: invalidState('SITE_NOT_DEACTIVATED') }
      : change(site, { status: 'ACTIVE' }),
});

/**
 * Switches the Guard's second approval on or off. Once on, every approval needs it; once off, those of requests that were
 * opened before still do. Active grants stay active.
 */
export const setSupportAccessRestrictions = siteCommand<{ siteId: string; restricted: boolean }, Site>({
  operation: 'setSupportAccessRestrictions',
  action: 'site.set_support_access_restrictions',
  refusals: ['ORGANIZATION_WITHOUT_GUARD'],
  decide: ({ site }, { restricted }) =>
    restricted && !site.organization.hasGuard
      ? { refused: invalidState('ORGANIZATION_WITHOUT_GUARD') }
      : change(site, { supportAccessRestricted: restricted }),
});

export type SetSupportAccessPolicyInput = {
  siteId: string;
  requestWaitSeconds: number;
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
  /** Null: as it is. */
  relayedConsentCounts: boolean | null;
};

/**
 * Sets the site's time limits, its two-person rule, and whether a relayed consent counts. Looser ones count for the
 * requests that are opened from then on.
 */
export const setSupportAccessPolicy = siteCommand<SetSupportAccessPolicyInput, Site>({
  operation: 'setSupportAccessPolicy',
  action: 'site.set_support_access_policy',
  refusals: [],
  decide: ({ site }, { siteId: _, relayedConsentCounts, ...policy }) =>
    change(site, { ...policy, relayedConsentCounts: relayedConsentCounts ?? site.relayedConsentCounts }),
});

/** Ends every open grant among these. A grant whose time had already run out ends as expired. */
export function endGrants(
  open: OpenGrants | undefined,
  command: GrantCommand,
  site: Site,
  by: DecisionContext,
): DecidedGrantChange[] {
  if (open === undefined) return [];
  const ticketOf = (ticketId: string) => {
    const ticket = open.tickets.get(ticketId);
    if (ticket === undefined) throw new Error(`Ticket ${ticketId} was not read with its grants`);
    return { ...ticket, site };
  };
  const subject = { organizationId: site.organizationId, ticketOf };
  const settled = applyTimeLimits(open.grants, subject, by.now);
  return [...settled.changes, ...changeOpenGrants(settled.grants, command, { ...subject, by })];
}

function change({ organization: _, ...site }: SiteWithOrganization, changes: Partial<Site>): Outcome<Site> {
  return {
    answer: { ...site, ...changes },
    entry: { details: changes },
    write: async (tx) => {
      await tx.site.update({ where: { id: site.id }, data: changes });
    },
  };
}
