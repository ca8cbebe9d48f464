import { builder } from '../builder.ts';
import { totalCount } from '../lists/total-count.ts';
import { User } from './account.ts';

export const Role = builder.enumType('Role', {
  description:
    'A role that a member of an organization holds over all of it, a site, or a product on a site.',
  values: {
    ORGANIZATION_ADMIN: { description: 'Grants for any product on any site of the organization.' },
    SITE_ADMIN: { description: 'Original only: grants for any product on the site.' },
    USER_ACCESS_ADMIN: { description: 'Centralized only: grants for any product on the site.' },
    PRODUCT_ADMIN: { description: 'Grants for that product on that site.' },
    TRUSTED_USER: { description: 'Original only: grants for that product on that site.' },
    BILLING_ADMIN: {
      description: 'Grants where listed: for a product, or under Centralized for a whole site.',
    },
    TECHNICAL_CONTACT: {
      description: 'Grants where listed: for a product, or under Centralized for a whole site.',
    },
    GUARD_ADMIN: {
      description: "Decides after the customer on restricted sites. Does not give the customer's approval.",
    },
    AUDITOR: {
      description:
        "Reads the organization's tickets, grants, support sessions and audit log as its organization admin does. Decides nothing.",
    },
  } as const,
});

export const RoleOrigin = builder.enumType('RoleOrigin', {
  description: 'Where a role assignment comes from.',
  values: {
    DIRECT: { description: 'It was made with `assignRole` by a person.' },
    SCIM: { description: 'The identity provider pushed it through SCIM.' },
  } as const,
});

const RoleSyncState = builder.enumType('RoleSyncState', {
  description: 'Whether a role assignment counts.',
  values: {
    SYNCED: { description: 'It counts.' },
    PENDING_SYNC: { description: 'Changed through SCIM and not yet synced: it does not count.' },
  } as const,
});

export const RoleAssignment = builder.prismaNode('RoleAssignment', {
  description: 'A role that a user holds over an organization, a site, or a product on a site.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    role: t.expose('role', { type: Role, description: 'The role.' }),
    origin: t.expose('origin', {
      type: RoleOrigin,
      description: 'Whether it was assigned here or pushed by the identity provider.',
    }),
    syncState: t.expose('syncState', {
      type: RoleSyncState,
      description: 'Whether it counts, or waits for a sync.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time when it was assigned.' }),
    // `resolve` is for an assignment that was just removed: its row is gone, but the rows that it refers to still
    // exist.
    user: t.relation('account', {
      type: User,
      description: 'The user who holds it.',
      resolve: (query, { accountId: id }, _, { services }) =>
        services.database.prisma.account.findUniqueOrThrow({ ...query, where: { id } }),
    }),
    organization: t.relation('organization', {
      description: 'The organization it is held in.',
      resolve: (query, { organizationId: id }, _, { services }) =>
        services.database.prisma.organization.findUniqueOrThrow({ ...query, where: { id } }),
    }),
    site: t.relation('site', {
      nullable: true,
      description: 'The site it is held over. Null where it is held over the whole organization.',
      resolve: (query, { siteId: id }, _, { services }) =>
        id === null ? null : services.database.prisma.site.findUnique({ ...query, where: { id } }),
    }),
    product: t.relation('product', {
      nullable: true,
      description: 'The product it is held over. Null where it is held over a whole site or organization.',
      resolve: (query, { productId: id }, _, { services }) =>
        id === null ? null : services.database.prisma.product.findUnique({ ...query, where: { id } }),
    }),
  }),
});

export const RoleAssignmentEdge = builder.edgeObject({
  name: 'RoleAssignmentEdge',
  type: RoleAssignment,
  description: 'A role assignment in a list.',
});

export const RoleAssignmentConnection = builder.connectionObject(
  {
    name: 'RoleAssignmentConnection',
    type: RoleAssignment,
    description: 'A page of role assignments.',
    fields: (t) => ({ totalCount: t.field(totalCount) }),
  },
  RoleAssignmentEdge,
);
