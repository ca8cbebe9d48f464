/** Organizations, their sites, and the products licensed on them. */
import { keptForEver } from '../audit/retention.ts';
import { lockGuard, lockSite, lockSiteOfProduct } from '../organizations/locks.ts';
import {
  findOrganization,
  findProduct,
  findSite,
  isRestricted,
  type Organization,
  type Product,
  type ProductWithSite,
  type Site,
  type SiteWithOrganization,
} from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Experience } from '../roles/role.ts';
import {
  changeGrantsOnSite,
  endChangeRequestsOnSite,
  isLeftUnsettled,
  listOpenOnSite,
  type OpenOnSite,
} from './change-site.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { invalidState } from './refusal.ts';

export const createOrganization = platformCommand<
  { name: string; hasGuard: boolean },
  { id: string },
  Organization
>({
  operation: 'createOrganization',
  action: 'organization.create',
  refusals: [],
  resource: 'Organization',
  load: async (_tx, _input, now) => ({ id: newId(now) }),
  auditResource: ({ id }) => ({ type: 'Organization', id }),
  decide: ({ id }, input, { now }) => {
    const noFormerAdmin = { formerAdminId: null, formerAdminSince: null };
    const organization: Organization = { id, ...input, createdAt: now, ...noFormerAdmin, ...keptForEver };
    return {
      answer: organization,
      write: async (tx) => {
        await tx.organization.create({ data: organization });
      },
      entry: { auditContext: { organizationId: id }, details: input },
    };
  },
});

/**
 * Gives the organization Guard, or takes it away. It is bought from the vendor, so an operator does that. An organization
 * keeps it while support access is restricted on any of its sites.
 */
export const setOrganizationGuard = platformCommand<
  { organizationId: string; hasGuard: boolean },
  { organization: Organization; isRestricted: boolean },
  Organization
>({
  operation: 'setOrganizationGuard',
  action: 'organization.set_guard',
  refusals: ['SUPPORT_ACCESS_RESTRICTED'],
  resource: 'Organization',
  lock: (tx, { organizationId }) => lockGuard(tx, organizationId),
  load: async (tx, { organizationId }) => {
    const organization = await findOrganization(tx, organizationId);
    return organization && { organization, isRestricted: await isRestricted(tx, organizationId) };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: ({ organization, isRestricted }, { hasGuard }) =>
    isRestricted && !hasGuard
      ? { refused: invalidState('SUPPORT_ACCESS_RESTRICTED') }
      : {
          answer: { ...organization, hasGuard },
          write: async (tx) => {
            await tx.organization.update({ where: { id: organization.id }, data: { hasGuard } });
          },
          entry: { details: { hasGuard } },
        },
});

export type CreateSiteInput = {
  organizationId: string;
  url: string;
  name: string;
  experience: Experience;
  dataResidencyRegion: string;
};

/**
 * The default policy of a site: a request waits 14 days; a grant lasts until its ticket closes; the consent box is
 * the fastest path, also where a ticketing system relays it.
 */
const defaultPolicy = {
  requestWaitSeconds: 14 * 24 * 60 * 60,
  maxGrantSeconds: null,
  samePersonMayApproveTwice: false,
  relayedConsentCounts: true,
  dataResidencyPinned: false,
  sessionIdleSeconds: 30 * 60,
  maxSessionSeconds: 8 * 60 * 60,
} as const;

export const createSite = platformCommand<
  CreateSiteInput,
  { id: string; organization: Organization; urlIsTaken: boolean },
  Site
>({
  operation: 'createSite',
  action: 'site.create',
  refusals: ['ALREADY_EXISTS'],
  resource: 'Organization',
  load: async (tx, { organizationId, url }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    return { id: newId(now), organization, urlIsTaken: (await tx.site.count({ where: { url } })) > 0 };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: ({ organization }) => ({ type: 'Organization', id: organization.id }),
  decide: ({ id, organization, urlIsTaken }, input, { now }) => {
    if (urlIsTaken) return { refused: alreadyExists(`There is a site at ${input.url} already.`) };
    const site: Site = {
      id,
      ...input,
      ...defaultPolicy,
      engineerCountries: [],
      status: 'ACTIVE',
      supportAccessRestricted: false,
      createdAt: now,
      ...{ unsettledSince: null, unsettledById: null },
    };
    return {
      answer: site,
      write: async (tx) => {
        await tx.site.create({ data: site });
      },
      entry: {
        auditResource: { type: 'Site', id },
        auditContext: { organizationId: organization.id, siteId: id },
        details: input,
      },
    };
  },
});

export type LicenseProductInput = { siteId: string; key: string; name: string };
type ProductFacts = { site: SiteWithOrganization; product: Product | null; id: string };

/** Licenses a product on a site, for the first time or again. */
export const licenseProduct = platformCommand<LicenseProductInput, ProductFacts, Product>({
  operation: 'licenseProduct',
  action: 'product.license',
  refusals: ['NOT_SETTLED_YET'],
  resource: 'Site',
  lock: (tx, { siteId }) => lockSite(tx, siteId),
  load: async (tx, { siteId, key }, now) => {
    const site = await findSite(tx, siteId);
    return (
      site && {
        site,
        product: await tx.product.findUnique({ where: { siteId_key: { siteId, key } } }),
        id: newId(now),
      }
    );
  },
  organizationId: ({ site }) => site.organizationId,
  auditResource: ({ site }) => ({ type: 'Site', id: site.id }),
  decide: ({ site, product: known, id }, { siteId, key, name }, { now }) => {
    if (known != null && known.unsettledSince !== null) return { refused: invalidState('NOT_SETTLED_YET') };
    const { organizationId } = site;
    const unknown = { id, organizationId, createdAt: now, unsettledSince: null, unsettledById: null };
    const product: Product = { ...unknown, ...known, siteId, key, name, licensed: true };
    return {
      answer: product,
      write: async (tx) => {
        await tx.product.upsert({
          where: { id: product.id },
          create: product,
          update: { name, licensed: true },
        });
      },
      entry: {
        auditResource: { type: 'Product', id: product.id },
        auditContext: { organizationId, siteId },
        details: { key, name },
      },
    };
  },
});

type LicensedProduct = ProductWithSite & OpenOnSite;

/**
 * Ends the licence, and with it every open grant and change request for the product: support never sees or changes
 * unlicensed products. What is too much for one transaction is left to the background job, as with `deactivateSite`.
 */
export const unlicenseProduct = platformCommand<{ productId: string }, LicensedProduct, Product>({
  operation: 'unlicenseProduct',
  action: 'product.unlicense',
  refusals: ['PRODUCT_NOT_LICENSED', 'NOT_SETTLED_YET'],
  resource: 'Product',
  lock: (tx, { productId }) => lockSiteOfProduct(tx, productId),
  load: async (tx, { productId }) => {
    const product = await findProduct(tx, { productId });
    return product && { ...product, ...(await listOpenOnSite(tx, product.siteId, productId)) };
  },
  organizationId: ({ site }) => site.organizationId,
  auditResource: ({ id }) => ({ type: 'Product', id }),
  decide: ({ open, changeRequests, site, ...product }, _, by) => {
    if (!product.licensed) {
      const message = 'The product is not licensed on this site, so there is no licence to end.';
      return { refused: invalidState('PRODUCT_NOT_LICENSED', message) };
    }
    // Everything there has ended already, with the site.
    if (site.unsettledSince !== null) return { refused: invalidState('NOT_SETTLED_YET') };
    const isUnsettled = isLeftUnsettled({ open, changeRequests }, by);
    const mark = isUnsettled ? { unsettledSince: by.now, unsettledById: by.viewer.id } : {};
    const data = { licensed: false, ...mark };
    const after = { ...product, ...data };
    const ended = {
      answer: after,
      write: async (tx: Transaction) => {
        await tx.product.update({ where: { id: product.id }, data });
      },
      entry: {
        auditContext: { organizationId: site.organizationId, siteId: site.id },
        details: { key: product.key },
      },
    };
    if (isUnsettled) return { ...ended, unsettledSiteId: site.id };
    return {
      ...ended,
      grants: changeGrantsOnSite(open, { type: 'UnlicenseProduct', by: by.viewer.id }, site, by),
      changeRequests: endChangeRequestsOnSite(changeRequests, 'PRODUCT_UNLICENSED', by, (ticket) => ({
        ...{ ...ticket, site, product: after },
      })),
    };
  },
});
