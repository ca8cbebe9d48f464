/** Sets the policy of a site: time limits, the two-person rule, and from where support acts. */
import { listOpenGrantsOfSite, type OpenGrants } from '../grants/store.ts';
import type { Site } from '../organizations/store.ts';
import type { Change } from '../proposals/change.ts';
import { guardConfirmation, loosens } from '../proposals/protection.ts';
import type { ProposedChange } from '../proposals/store.ts';
import { policyChange } from '../proposals/summary.ts';
import { change, changeGrantsOnSite, type LooseningFacts, loosening, placeOf, read } from './change-site.ts';
import { propose } from './propose.ts';
import { invalidInput } from './refusal.ts';
import { siteCommand } from './site-command.ts';

export type SetSupportAccessPolicyInput = {
  siteId: string;
  requestWaitSeconds: number;
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
  /** Null: as it is. */
  relayedConsentCounts: boolean | null;
} & SessionPolicyInput;

/** Left out: as it is. An input without them reads as one of a version without them, under whose key it may be repeated. */
type SessionPolicyInput = {
  dataResidencyPinned?: boolean | undefined;
  engineerCountries?: string[] | undefined;
  sessionIdleSeconds?: number | undefined;
  maxSessionSeconds?: number | undefined;
};

/**
 * Sets the site's policy. Looser rules of requests and grants count for the requests that are opened from then on;
 * tighter ones count at once: a request that waits longer than the new policy allows expires when the policy lets it, or
 * now. Limits of sessions count for the sessions that are started from then on; regions and countries from the next
 * action of support. Loosening takes two people where the site is restricted.
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
    ...(input.requestWaitSeconds < site.requestWaitSeconds && site.status === 'ACTIVE'
      ? { open: await listOpenGrantsOfSite(tx, site.id, null) }
      : {}),
  }),
  decide: ({ site, open, proposal }, input, by) => {
    const policy = wholePolicy(site, input);
    if (policy.maxSessionSeconds < policy.sessionIdleSeconds)
      return { refused: idleBeyondMaximum(policy.sessionIdleSeconds) };
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
  const { dataResidencyPinned, engineerCountries, sessionIdleSeconds, maxSessionSeconds } = site;
  return {
    ...{ requestWaitSeconds, maxGrantSeconds, samePersonMayApproveTwice, relayedConsentCounts },
    ...{ dataResidencyPinned, engineerCountries, sessionIdleSeconds, maxSessionSeconds },
  };
}

/** The policy that the input sets, with what it leaves as it is. */
function wholePolicy(site: Site, input: SetSupportAccessPolicyInput) {
  const { requestWaitSeconds, maxGrantSeconds, samePersonMayApproveTwice } = input;
  return {
    ...{ requestWaitSeconds, maxGrantSeconds, samePersonMayApproveTwice },
    relayedConsentCounts: input.relayedConsentCounts ?? site.relayedConsentCounts,
    dataResidencyPinned: input.dataResidencyPinned ?? site.dataResidencyPinned,
    engineerCountries: input.engineerCountries ?? site.engineerCountries,
    sessionIdleSeconds: input.sessionIdleSeconds ?? site.sessionIdleSeconds,
    maxSessionSeconds: input.maxSessionSeconds ?? site.maxSessionSeconds,
  };
}

function idleBeyondMaximum(sessionIdleSeconds: number) {
  return invalidInput(
    'maxSessionSeconds',
    `must not be less than sessionIdleSeconds, which is ${sessionIdleSeconds}.`,
  );
}

const policyOf = (siteId: string) => `support access policy of site ${siteId}`;
