/** Commands on sites, licences and roles, in the model, and their effects on grants. */
import {
  type Answer,
  grantAt,
  isGuardAdmin,
  isOrganizationAdmin,
  type Model,
  openGrants,
  type RoleHeld,
  refuse,
  rolesOf,
  type SiteFacts,
  seesOrganization,
  seesRole,
  settle,
  type Ticket,
  type Who,
  write,
} from './model.ts';
import { end } from './model-grants.ts';
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
  const answer = onSite(model, who, site, 'set_support_access_restrictions', allowed, refused);
  if (!('refused' in answer)) model.sites[site].restricted = restricted;
  return answer;
}

export type Policy = Pick<SiteFacts, 'waitSeconds' | 'maxGrantSeconds' | 'samePersonMayApproveTwice'>;

export function setPolicy(model: Model, who: Who, site: Site, policy: Policy): Answer {
  const allowed = isOrganizationAdmin(model, who);
  const answer = onSite(model, who, site, 'set_support_access_policy', allowed, undefined);
  if (!('refused' in answer)) Object.assign(model.sites[site], policy);
  return answer;
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

export function giveRole(model: Model, who: Who, held: RoleHeld): Answer {
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  const isHeld = model.roles.some(
    (one) =>
      one.who === held.who &&
      one.role === held.role &&
      one.site === held.site &&
      one.product === held.product,
  );
  const answer = onOrganization(
    model,
    who,
    'role.assign',
    { done: 'role', refused: 'user' },
    allowed,
    isHeld ? 'ALREADY_EXISTS' : undefined,
  );
  if (!('refused' in answer)) {
    model.roles.push({ ...held, synced: held.direct });
    model.events.push(`ACCESS_CHANGED ${held.who}`);
  }
  return answer;
}

export function takeRole(model: Model, who: Who, index: number): Answer {
  const allowed = who === 'operator' || isOrganizationAdmin(model, who);
  if (!seesRole(model, who, index)) return refuse(model, who, 'role.remove', 'role', 'NOT_FOUND');
  const answer = onOrganization(model, who, 'role.remove', { done: 'role', refused: 'role' }, allowed);
  if (!('refused' in answer))
    for (const gone of model.roles.splice(index, 1)) model.events.push(`ACCESS_CHANGED ${gone.who}`);
  return answer;
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
  for (const name of new Set(model.roles.filter(({ synced }) => !synced).map((held) => held.who)))
    model.events.push(`ACCESS_CHANGED ${name}`);
  for (const held of model.roles) held.synced = true;
  return answer;
}
