/** One sentence for each kind of change, without a full stop: for people, in the API and in mail. */
import { isDeepStrictEqual } from 'node:util';
import { type Role, roleRules } from '../roles/role.ts';
import type { GuardedPolicy } from './protection.ts';

/** What a role is held over, by name. `site` and `product` null: the whole organization, the whole site. */
export type NamedPlace = { organization: string; site: string | null; product: string | null };

export const restrictionsOff = (siteUrl: string): string =>
  `Switch support access restrictions off on ${siteUrl}`;

export function policyChange(siteUrl: string, before: GuardedPolicy, after: GuardedPolicy): string {
  const changes = [
    before.requestWaitSeconds === after.requestWaitSeconds
      ? null
      : `a request waits ${duration(after.requestWaitSeconds)} instead of ${duration(before.requestWaitSeconds)}`,
    before.maxGrantSeconds === after.maxGrantSeconds
      ? null
      : `a grant lasts ${longest(after.maxGrantSeconds)} instead of ${longest(before.maxGrantSeconds)}`,
    before.samePersonMayApproveTwice === after.samePersonMayApproveTwice
      ? null
      : after.samePersonMayApproveTwice
        ? 'one person may give both approvals'
        : 'two people give the two approvals',
    before.relayedConsentCounts === after.relayedConsentCounts
      ? null
      : after.relayedConsentCounts
        ? 'a relayed consent counts'
        : 'a relayed consent waits for the reporter',
    before.dataResidencyPinned === after.dataResidencyPinned
      ? null
      : after.dataResidencyPinned
        ? "its data stays in the site's region"
        : "its data may be processed in all of the vendor's regions",
    isDeepStrictEqual(before.engineerCountries, after.engineerCountries)
      ? null
      : `engineers act from ${countries(after.engineerCountries)} instead of ${countries(before.engineerCountries)}`,
    before.sessionIdleSeconds === after.sessionIdleSeconds
      ? null
      : `a session waits ${duration(after.sessionIdleSeconds)} for an action instead of ${duration(before.sessionIdleSeconds)}`,
    before.maxSessionSeconds === after.maxSessionSeconds
      ? null
      : `a session lasts at most ${duration(after.maxSessionSeconds)} instead of ${duration(before.maxSessionSeconds)}`,
  ].filter((text) => text !== null);
  return `Change the support access policy of ${siteUrl}: ${changes.join('; ')}`;
}

export const roleAssigned = (email: string, role: Role, place: NamedPlace): string =>
  `Assign the role ${roleRules[role].label} over ${nameOf(place)} to ${email}`;

export const roleSynced = (email: string, role: Role, place: NamedPlace): string =>
  `Make the role ${roleRules[role].label} over ${nameOf(place)} count, which the identity provider has pushed for ${email}`;

export const rolesSynced = (count: number): string =>
  `Make the roles count that the identity provider has pushed (${count})`;

export const roleRemoved = (email: string, role: Role, place: NamedPlace): string =>
  `Remove the role ${roleRules[role].label} over ${nameOf(place)} from ${email}`;

export const userRemoved = (email: string, organization: string): string =>
  `Remove ${email}, who is a Guard admin, from ${organization}`;

export function retentionChange(organization: string, before: number | null, after: number | null): string {
  const kept = (days: number | null) => (days === null ? 'for ever' : `for ${duration(days * 86_400)}`);
  return `Keep the audit log of ${organization} ${kept(after)} instead of ${kept(before)}`;
}

function nameOf({ organization, site, product }: NamedPlace): string {
  if (site === null) return organization;
  return product === null ? site : `${product} on ${site}`;
}

function longest(seconds: number | null): string {
  return seconds === null ? 'until its ticket closes' : `at most ${duration(seconds)}`;
}

/** More of them would hide what else the sentence says. */
const namedCountries = 12;

function countries(codes: readonly string[]): string {
  if (codes.length === 0) return "all of the vendor's countries";
  const more = codes.length - namedCountries;
  return more <= 0 ? codes.join(', ') : `${codes.slice(0, namedCountries).join(', ')} and ${more} more`;
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** In the largest unit that says it exactly: `14 days`, `90 minutes`. */
function duration(seconds: number): string {
  const [name, length] = units.find(([, size]) => seconds % size === 0) ?? (['second', 1] as const);
  const count = seconds / length;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
