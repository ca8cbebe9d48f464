/** The commands that change a site, and what each does to the grants and change requests on it. */
import type { OpenChangeRequest } from '../changes/change-request.ts';
import { listOpenChangeRequestsOfSite } from '../changes/store.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import { listOpenGrantsOfSite, type OpenGrants } from '../grants/store.ts';
import { lockSiteAndGuard } from '../organizations/locks.ts';
import type { Site, SiteWithOrganization } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import type { Change } from '../proposals/change.ts';
import { guardConfirmation, loosens } from '../proposals/protection.ts';
import type { ProposedChange } from '../proposals/store.ts';
import { policyChange, restrictionsOff } from '../proposals/summary.ts';
import { applyTimeLimits, changeOpenGrants } from './change-grant.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { andEndChangeRequests } from './end-change-requests.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { findProposalFacts, type ProposalFacts, propose } from './propose.ts';
import { invalidState } from './refusal.ts';
import { siteCommand } from './site-command.ts';

/** What ends with a site or a licence. */
export type OpenOnSite = { open: OpenGrants; changeRequests: readonly OpenChangeRequest[] };

/** What is open on a site, or for one product of it. Two statements; the caller holds the site's lock. */
export async function listOpenOnSite(
  tx: Transaction,
  siteId: string,
  productId: string | null,
): Promise<OpenOnSite> {
  const open = await listOpenGrantsOfSite(tx, siteId, productId);
  return { open, changeRequests: await listOpenChangeRequestsOfSite(tx, siteId, productId) };
}

/**
 * Deactivating a site ends the pending and active grants on it, and withdraws what is to be changed there, so that
 * nothing comes back with the site.
 */
export const deactivateSite = siteCommand<{ siteId: string }, Site, OpenOnSite>({
  operation: 'deactivateSite',
  action: 'site.deactivate',
  refusals: ['SITE_DEACTIVATED'],
  extra: (tx, { siteId }) => listOpenOnSite(tx, siteId, null),
  decide: ({ site, open, changeRequests }, _, by) => {
    if (site.status === 'DEACTIVATED') {
      return { refused: invalidState('SITE_DEACTIVATED', 'The site is deactivated already.') };
    }
    const grants = changeGrantsOnSite(open, { type: 'DeactivateSite', by: by.viewer.id }, site, by);
    const outcome = { ...change(site, { status: 'DEACTIVATED' }), grants };
    return andEndChangeRequests(outcome, changeRequests, 'SITE_DEACTIVATED', by);
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

type RestrictionsInput = { siteId: string; restricted: boolean };

/**
 * Switches the Guard's second approval on or off. Once on, every approval needs it; once off, those of requests that were
 * opened before still do. Active grants stay active. Switching it off takes two people.
 */
export const setSupportAccessRestrictions = siteCommand<
  RestrictionsInput,
  Site | ProposedChange,
  LooseningFacts
>({
  operation: 'setSupportAccessRestrictions',
  action: 'site.set_support_access_restrictions',
  refusals: ['ORGANIZATION_WITHOUT_GUARD', 'TOO_MANY_CHANGES_WAIT'],
  lock: lockSiteAndGuard,
  extra: async (tx, { restricted }, site, now) =>
    restricted || !site.supportAccessRestricted
      ? {}
      : await loosening(tx, site, restrictionsOf(site.id), now),
  decide: ({ site, proposal }, input, by) => {
    const { restricted } = input;
    if (restricted && !site.organization.hasGuard)
      return { refused: invalidState('ORGANIZATION_WITHOUT_GUARD') };
    if (restricted || !site.supportAccessRestricted || by.isConfirmed)
      return change(site, { supportAccessRestricted: restricted });
    const proposed: Change = {
      ...{ kind: 'SET_SUPPORT_ACCESS_RESTRICTIONS', about: restrictionsOf(site.id), input },
      ...placeOf(site),
      before: { supportAccessRestricted: true },
      after: { supportAccessRestricted: false },
      summary: restrictionsOff(site.url),
    };
    return propose(proposed, guardConfirmation, read(proposal), by);
  },
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
 * requests that are opened from then on, and take two people where the site is restricted. Tighter ones count at once: a
 * request that waits longer than the new policy allows expires when the policy lets it, or now.
 */
export const setSupportAccessPolicy = siteCommand<
  SetSupportAccessPolicyInput,
  Site | ProposedChange,
  LooseningFacts & { open?: OpenGrants }
>({
  operation: 'setSupportAccessPolicy',
  action: 'site.set_support_access_policy',
  refusals: ['ANOTHER_CHANGE_WAITS', 'TOO_MANY_CHANGES_WAIT'],
  extra: async (tx, input, site, now) => ({
    ...(site.supportAccessRestricted && loosens(site, wholePolicy(site, input))
      ? await loosening(tx, site, policyOf(site.id), now)
      : {}),
    ...(input.requestWaitSeconds < site.requestWaitSeconds
      ? { open: await listOpenGrantsOfSite(tx, site.id, null) }
      : {}),
  }),
  decide: ({ site, open, proposal }, input, by) => {
    const policy = wholePolicy(site, input);
    if (!site.supportAccessRestricted || !loosens(site, policy) || by.isConfirmed) {
      const shorten = { type: 'ShortenWait', waitSeconds: policy.requestWaitSeconds } as const;
      return {
        ...change(site, policy),
        grants: changeGrantsOnSite(open, shorten, { ...site, ...policy }, by),
      };
    }
    const proposed: Change = {
      ...{ kind: 'SET_SUPPORT_ACCESS_POLICY', about: policyOf(site.id) },
      input: { siteId: site.id, ...policy },
      ...placeOf(site),
      before: presentPolicy(site),
      after: policy,
      summary: policyChange(site.url, site, policy),
    };
    return propose(proposed, guardConfirmation, read(proposal), by);
  },
});

/** The values of the site that a proposed policy replaces. */
export function presentPolicy(site: Site) {
  const { requestWaitSeconds, maxGrantSeconds, samePersonMayApproveTwice, relayedConsentCounts } = site;
  return { requestWaitSeconds, maxGrantSeconds, samePersonMayApproveTwice, relayedConsentCounts };
}

/** The policy that the input sets, with what it leaves as it is. */
function wholePolicy(
  site: Site,
  { siteId: _, relayedConsentCounts, ...policy }: SetSupportAccessPolicyInput,
) {
  return { ...policy, relayedConsentCounts: relayedConsentCounts ?? site.relayedConsentCounts };
}

/** Read only where the command loosens what is restricted. */
type LooseningFacts = { proposal?: ProposalFacts };

async function loosening(
  tx: Transaction,
  { organizationId }: Site,
  about: string,
  now: Date,
): Promise<LooseningFacts> {
  return { proposal: await findProposalFacts(tx, organizationId, about, now) };
}

function read(facts: ProposalFacts | undefined): ProposalFacts {
  if (facts === undefined) throw new Error('A change takes two people, and its proposal was not read');
  return facts;
}

const restrictionsOf = (siteId: string) => `support access restrictions of site ${siteId}`;
const policyOf = (siteId: string) => `support access policy of site ${siteId}`;

function placeOf({ id: siteId, organizationId }: Site) {
  return { organizationId, siteId, subjectId: null };
}

/** Runs the command on every open grant among these. A grant whose time had already run out ends as expired. */
export function changeGrantsOnSite(
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
