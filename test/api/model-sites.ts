/** Commands on sites, licences and roles, in the model, and their effects on grants. */
import {
  type Answer,
  grantAt,
  isGuardAdmin,
  isOrganizationAdmin,
  type Model,
  openGrants,
  type Policy,
  type RoleHeld,
  refuse,
  rolesOf,
  seesOrganization,
  seesRole,
  settle,
  type Ticket,
  type Who,
  write,
} from './model.ts';
import { endChanges } from './model-changes.ts';
import { end, shortenWaits } from './model-grants.ts';
import { couldConfirm, isOrganizationRestricted, noticeOf, propose, waits } from './model-proposals.ts';
import { type Product, type Site, siteOf } from './model-who-may-grant.ts';

type OnSite = 'deactivate' | 'reactivate' | 'set_support_access_restrictions' | 'set_support_access_policy';

function onSite(
  model: Model,
  who: Who,
  site: Site,
  action: OnSite,
  allowed: boolean,
  refused: string | undefined,
): Answer {
  const name = `site.${action}`;
  const code = !seesOrganization(who) ? 'NOT_FOUND' : allowed ? refused : 'FORBIDDEN';
  if (code !== undefined) return refuse(model, who, name, `site ${site}`, code);
  write(model, who, name, `site ${site}`);
  return { done: true };
}

export function deactivate(model: Model, who: Who, site: Site): Answer {
  const facts = model.sites[site];
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  const answer = onSite(
    model,
    who,
    site,
    'deactivate',
    allowed,
    facts.active ? undefined : 'SITE_DEACTIVATED',
  );
  if ('refused' in answer) return answer;
  facts.active = false;
  endWithItsSubject(model, who, 'SITE_DEACTIVATED', ({ product }) => siteOf(product) === site);
  return answer;
}

function endWithItsSubject(
  model: Model,
  who: Who,
  reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED',
  belongs: (ticket: Ticket) => boolean,
): void {
  endChanges(model, who, reason, belongs);
  settle(model, openGrants(model, belongs));
  for (const grant of openGrants(model, belongs))
    end(model, grant, who, grantAt(model, grant).state === 'ACTIVE' ? 'ENDED' : 'WITHDRAWN', reason);
}

export function reactivate(model: Model, who: Who, site: Site): Answer {
  const facts = model.sites[site];
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  const answer = onSite(
    model,
    who,
    site,
    'reactivate',
    allowed,
    facts.active ? 'SITE_NOT_DEACTIVATED' : undefined,
  );
  if (!('refused' in answer)) facts.active = true;
  return answer;
}

export function restrict(model: Model, who: Who, site: Site, restricted: boolean): Answer {
  const allowed = isOrganizationAdmin(model, who) || isGuardAdmin(model, who, site);
  const refused = restricted && !model.hasGuard ? 'ORGANIZATION_WITHOUT_GUARD' : undefined;
  if (allowed && seesOrganization(who) && !restricted && model.sites[site].restricted)
    return propose(model, who, { kind: 'restrictions', site });
  const answer = onSite(model, who, site, 'set_support_access_restrictions', allowed, refused);
  if (!('refused' in answer)) model.sites[site].restricted = restricted;
  return answer;
}

export function setPolicy(model: Model, who: Who, site: Site, policy: Policy): Answer {
  const allowed = isOrganizationAdmin(model, who);
  const { restricted, waitSeconds, maxGrantSeconds, samePersonMayApproveTwice } = model.sites[site];
  const before = { waitSeconds, maxGrantSeconds, samePersonMayApproveTwice };
  if (allowed && restricted && loosens(before, policy))
    return propose(model, who, { kind: 'policy', site, before, after: policy });
  const answer = onSite(model, who, site, 'set_support_access_policy', allowed, undefined);
  if ('refused' in answer) return answer;
  Object.assign(model.sites[site], policy);
  if (policy.waitSeconds < before.waitSeconds) shortenWaits(model, who, site);
  return answer;
}

function loosens(before: Policy, after: Policy): boolean {
  const longest = ({ maxGrantSeconds }: Policy) => maxGrantSeconds ?? Infinity;
  return (
    after.waitSeconds > before.waitSeconds ||
    longest(after) > longest(before) ||
    (after.samePersonMayApproveTwice && !before.samePersonMayApproveTwice)
  );
}

function onOrganization(
  model: Model,
  who: Who,
  action: string,
  about: { done: string; refused: string },
  allowed: boolean,
  refused?: string,
): Answer {
  const code = !seesOrganization(who) ? 'NOT_FOUND' : allowed ? refused : 'FORBIDDEN';
  if (code !== undefined) return refuse(model, who, action, about.refused, code);
  write(model, who, action, about.done);
  return { done: true };
}

export function license(model: Model, who: Who, product: Product): Answer {
  const answer = onOrganization(
    model,
    who,
    'product.license',
    { done: `product ${product}`, refused: `site ${siteOf(product)}` },
    who === 'operator',
  );
  if (!('refused' in answer)) model.licensed[product] = true;
  return answer;
}

export function unlicense(model: Model, who: Who, product: Product): Answer {
  const refused = model.licensed[product] ? undefined : 'PRODUCT_NOT_LICENSED';
  const answer = onOrganization(
    model,
    who,
    'product.unlicense',
    { done: `product ${product}`, refused: `product ${product}` },
    who === 'operator',
    refused,
  );
  if ('refused' in answer) return answer;
  model.licensed[product] = false;
  endWithItsSubject(model, who, 'PRODUCT_UNLICENSED', (ticket) => ticket.product === product);
  return answer;
}

/** Whether this is an operator in an organization with an admin, who cannot make a role count alone. */
function isAlone(model: Model, who: Who): boolean {
  return who === 'operator' && model.roles.some((held) => isOrganizationAdmin(model, held.who));
}

/** Whether this is an operator in an organization that has lost its last admin within the last 72 hours. */
function isTooSoon(model: Model, who: Who): boolean {
  return who === 'operator' && !isAlone(model, who) && noticeOf(model) > model.now;
}

export function giveRole(model: Model, who: Who, held: RoleHeld): Answer {
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  const isHeld = model.roles.some(
    (one) =>
      one.who === held.who &&
      one.role === held.role &&
      one.site === held.site &&
      one.product === held.product,
  );
  const isGuard = held.role === 'GUARD_ADMIN';
  const change = { kind: 'assign', held } as const;
  const takesTwo = isGuard && held.direct && isOrganizationRestricted(model);
  const refused = isHeld
    ? 'ALREADY_EXISTS'
    : isGuard && held.who === who
      ? 'OWN_GUARD_ROLE'
      : takesTwo && !couldConfirm(model, who, change) && !isOrganizationAdmin(model, who)
        ? 'NO_GUARD_ADMIN'
        : undefined;
  if (allowed && refused === undefined && takesTwo) return propose(model, who, change);
  if (refused === undefined && (isAlone(model, who) || isTooSoon(model, who)))
    return propose(model, who, change, 'ORGANIZATION_ADMIN');
  const answer = onOrganization(
    model,
    who,
    'role.assign',
    { done: 'role', refused: 'user' },
    allowed,
    refused,
  );
  if (!('refused' in answer)) {
    model.roles.push({ ...held, synced: held.direct, since: model.now });
    model.events.push(`ACCESS_CHANGED ${held.who}`);
  }
  return answer;
}

export function takeRole(model: Model, who: Who, index: number): Answer {
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  if (!seesRole(model, who, index)) return refuse(model, who, 'role.remove', 'role', 'NOT_FOUND');
  const held = model.roles[index];
  if (allowed && held?.role === 'GUARD_ADMIN' && held.synced && isOrganizationRestricted(model))
    return propose(model, who, { kind: 'remove', held });
  // The last organization admin stays one, unless an operator removes the role.
  if (held?.who === who && isOrganizationAdmin(model, who) && !hasAnotherAdmin(model, who, held))
    return refuse(model, who, 'role.remove', 'role', 'LAST_ORGANIZATION_ADMIN');
  const answer = onOrganization(model, who, 'role.remove', { done: 'role', refused: 'role' }, allowed);
  if ('refused' in answer) return answer;
  for (const { who: holder, role, synced } of model.roles.splice(index, 1)) {
    if (role === 'ORGANIZATION_ADMIN' && synced) model.adminLostAt = model.now;
    model.events.push(`ACCESS_CHANGED ${holder}`);
  }
  return answer;
}

/** Whether somebody else is an organization admin, or the role is another one. */
function hasAnotherAdmin(model: Model, who: Who, { role, synced }: RoleHeld): boolean {
  if (role !== 'ORGANIZATION_ADMIN' || !synced) return true;
  return model.roles.some((held) => held.who !== who && isOrganizationAdmin(model, held.who));
}

export function syncRoles(model: Model, who: Who): Answer {
  const allowed = who === 'operator' || rolesOf(model, who).length > 0;
  const answer = onOrganization(
    model,
    who,
    'role.sync',
    { done: 'organization', refused: 'organization' },
    allowed,
  );
  if ('refused' in answer) return answer;
  const isGuarded = isOrganizationRestricted(model);
  const unsynced = model.roles.filter(({ synced }) => !synced);
  const alone = isAlone(model, who);
  const tooSoon = isTooSoon(model, who);
  const counting = unsynced.filter(
    (held) => !alone && !tooSoon && (held.role !== 'GUARD_ADMIN' || (!isGuarded && held.who !== who)),
  );
  for (const held of unsynced.filter(({ role }) => alone && role !== 'GUARD_ADMIN')) {
    const change = { kind: 'sync', held } as const;
    if (!waits(model, change)) propose(model, who, change, 'ORGANIZATION_ADMIN');
  }
  for (const held of unsynced.filter(({ role }) => isGuarded && role === 'GUARD_ADMIN')) {
    const change = { kind: 'sync', held } as const;
    if (held.who === who || waits(model, change)) continue;
    if (couldConfirm(model, who, change) || isOrganizationAdmin(model, who)) propose(model, who, change);
  }
  for (const name of new Set(counting.map((held) => held.who))) model.events.push(`ACCESS_CHANGED ${name}`);
  for (const held of counting) Object.assign(held, { synced: true, since: model.now });
  return answer;
}
