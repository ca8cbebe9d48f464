import { relationsToSite, seesActiveAccess } from '../../authorization/viewer-relations.ts';
import { visibleProducts, visibleSites } from '../../authorization/visibility.ts';
import { policyBeforeSessions } from '../../events/kinds/grant.ts';
import type { Site as SiteRow } from '../../organizations/store.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { lookUpKey, siteUrl } from '../input.ts';
import {
  boundedById,
  byId,
  keysetConnection,
  nodesPath,
  nodesQuery,
  pageOf,
  relatedRows,
} from '../keyset-connection.ts';
import { Grant, GrantConnection, GrantEdge } from './grant.ts';

const SiteStatus = builder.enumType('SiteStatus', {
  description: 'The status of a site.',
  values: {
    ACTIVE: { description: 'The site is in use.' },
    DEACTIVATED: {
      description: 'The site is to be deleted: it accepts tickets, and rejects requests and grants.',
    },
  } as const,
});

export const UserManagementExperience = builder.enumType('UserManagementExperience', {
  description: 'How a site manages its users. It decides which roles may grant access.',
  values: {
    CENTRALIZED: { description: 'Users are managed for the whole organization, in one directory.' },
    ORIGINAL: { description: 'Users are managed on each site.' },
  } as const,
});

const SupportAccessPolicy = builder.objectRef<SiteRow>('SupportAccessPolicy').implement({
  description:
    'The time limits of requests, grants and support sessions on a site, its two-person rule, whether a relayed consent counts, and from where support acts.',
  fields: (t) => ({
    requestWaitSeconds: t.exposeInt('requestWaitSeconds', {
      viewerIndependent: true,
      description: 'How long a request waits for its decisions, in seconds.',
    }),
    maxGrantSeconds: t.exposeInt('maxGrantSeconds', {
      nullable: true,
      viewerIndependent: true,
      description:
        'How long a grant lasts at most, in seconds from its activation. Null: until its ticket is closed.',
    }),
    samePersonMayApproveTwice: t.exposeBoolean('samePersonMayApproveTwice', {
      viewerIndependent: true,
      description: "Whether one person may give both the customer's and the Guard's approval.",
    }),
    relayedConsentCounts: t.exposeBoolean('relayedConsentCounts', {
      viewerIndependent: true,
      description:
        "Whether the reporter's consent counts as an approval if a ticketing system relays it. Otherwise the request waits until the reporter, or somebody else who may grant, approves it.",
    }),
    dataResidencyPinned: t.exposeBoolean('dataResidencyPinned', {
      viewerIndependent: true,
      description:
        "Whether its data is processed only in its own region, and exported only to it. Otherwise in the vendor's regions as well.",
    }),
    engineerCountries: t.exposeStringList('engineerCountries', {
      viewerIndependent: true,
      description:
        "The countries from which engineers may act, as ISO 3166-1 alpha-2 codes. Empty: all of the vendor's.",
    }),
    sessionIdleSeconds: t.exposeInt('sessionIdleSeconds', {
      viewerIndependent: true,
      description:
        'After how many seconds without an action a support session ends. A session keeps the limits of its start.',
    }),
    maxSessionSeconds: t.exposeInt('maxSessionSeconds', {
      viewerIndependent: true,
      description: 'After how many seconds a support session ends, however much it is used.',
    }),
  }),
});

const byGrant = boundedById('Site.activeAccess');
const [everySite, itsProducts] = [byId('sites'), byId('Site.products')];

export const Site = builder.prismaNode('Site', {
  description: 'A site of an organization, with products licensed on it.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    url: t.exposeString('url', {
      viewerIndependent: true,
      description: 'The URL: `https://` and a host. Unique, and never changed.',
    }),
    name: t.exposeString('name', { viewerIndependent: true, description: 'The display name.' }),
    status: t.expose('status', {
      type: SiteStatus,
      viewerIndependent: true,
      description: 'Whether the site is in use.',
    }),
    experience: t.expose('experience', {
      type: UserManagementExperience,
      viewerIndependent: true,
      description: 'How the site manages its users. It decides which roles may grant access.',
    }),
    supportAccessRestricted: t.exposeBoolean('supportAccessRestricted', {
      viewerIndependent: true,
      description: 'Whether support access is restricted: a Guard admin decides after the customer.',
    }),
    dataResidencyRegion: t.exposeString('dataResidencyRegion', {
      viewerIndependent: true,
      description:
        'The region of its data, for example `EU` or `GLOBAL`. The policy says whether the data may leave it.',
    }),
    supportAccessPolicy: t.field({
      type: SupportAccessPolicy,
      viewerIndependent: true,
      description:
        'The time limits of its requests, grants and sessions, its two-person rule, whether a relayed consent counts, and from where support acts.',
      // An answer that a version without sessions has kept lacks their part.
      resolve: (site) => ({ ...policyBeforeSessions, ...site }),
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time when the site was created.',
    }),
    organization: t.relation('organization', {
      viewerIndependent: true,
      description: 'The organization it belongs to.',
    }),
    products: t.connection(
      {
        type: Product,
        viewerIndependent: false,
        description: 'The products on it, licensed or not, newest first.',
        select: (args, context, nested) => ({
          products: nested(relatedRows(args, itsProducts, visibleProducts(viewerOf(context))), nodesPath),
        }),
        resolve: ({ products }, args) => pageOf(args, itsProducts, products),
      },
      ProductConnection,
      ProductEdge,
    ),
    activeAccess: t.connection(
      {
        type: Grant,
        nullable: true,
        viewerIndependent: false,
        description:
          'Who has access right now: the grants that are active, newest first. Null where the viewer may not see all of them: they hold no role in the organization.',
        resolve: async (site, args, context, info) => {
          if (!seesActiveAccess(relationsToSite(viewerOf(context), site))) return null;
          const { loaders, services } = context;
          const query = nodesQuery(context, info);
          return await keysetConnection(args, byGrant, ({ where, orderBy: order, take: limit }) =>
            loaders
              .activeGrants(info.fieldNodes, query, services.clock())
              .load({ siteId: site.id, ...where, order, limit }),
          );
        },
      },
      GrantConnection,
      GrantEdge,
    ),
  }),
});

export const SiteEdge = builder.edgeObject({
  name: 'SiteEdge',
  type: Site,
  description: 'A site in a list.',
});

export const SiteConnection = builder.connectionObject(
  { name: 'SiteConnection', type: Site, description: 'A page of sites.' },
  SiteEdge,
);

export const Product = builder.prismaNode('Product', {
  description: 'A product on one site.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    key: t.exposeString('key', {
      viewerIndependent: true,
      description: 'Which product it is, the same on every site, for example `jira`. Never changed.',
    }),
    name: t.exposeString('name', { viewerIndependent: true, description: 'The display name.' }),
    isLicensed: t.exposeBoolean('licensed', {
      viewerIndependent: true,
      description: 'Whether it is licensed. Support never sees the data of an unlicensed product.',
    }),
    site: t.relation('site', { viewerIndependent: true, description: 'The site it is on.' }),
  }),
});

const ProductEdge = builder.edgeObject({
  name: 'ProductEdge',
  type: Product,
  description: 'A product in a list.',
});

const ProductConnection = builder.connectionObject(
  { name: 'ProductConnection', type: Product, description: 'A page of products.' },
  ProductEdge,
);

builder.queryField('site', (t) =>
  t.prismaField({
    type: Site,
    nullable: true,
    description: 'The site with this URL. Null where it does not exist or the viewer may not see it.',
    authScopes: { operation: 'site' },
    args: {
      url: t.arg.string({
        required: true,
        description: 'The URL: `https://` and a host, in any spelling of it.',
        validate: siteUrl,
      }),
    },
    resolve: (query, _, { url }, context) =>
      context.services.database.prisma.site.findFirst({
        ...query,
        where: { AND: [visibleSites(viewerOf(context)), { url }] },
      }),
  }),
);

builder.queryField('product', (t) =>
  t.prismaField({
    type: Product,
    nullable: true,
    description:
      'The product with this key on the site with this URL. Null where it does not exist or the viewer may not see it.',
    authScopes: { operation: 'product' },
    args: {
      siteUrl: t.arg.string({
        required: true,
        description: 'The URL of the site, in any spelling of it.',
        validate: siteUrl,
      }),
      key: t.arg.string({
        required: true,
        description: 'The key of the product, for example `jira`.',
        validate: lookUpKey(64),
      }),
    },
    resolve: (query, _, { siteUrl: url, key }, context) =>
      context.services.database.prisma.product.findFirst({
        ...query,
        where: { AND: [visibleProducts(viewerOf(context)), { key, site: { url } }] },
      }),
  }),
);

builder.queryField('sites', (t) =>
  t.connection(
    {
      type: Site,
      nullable: true,
      description: 'The sites that the viewer may see, newest first. Null with an error.',
      authScopes: { operation: 'sites' },
      resolve: (_, args, context, info) =>
        keysetConnection(args, everySite, ({ where, ...window }) =>
          context.services.database.prisma.site.findMany({
            ...nodesQuery(context, info),
            where: { AND: [visibleSites(viewerOf(context)), where] },
            ...window,
          }),
        ),
    },
    SiteConnection,
    SiteEdge,
  ),
);
