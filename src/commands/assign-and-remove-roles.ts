/** The commands that assign, remove and synchronize roles. */
import type { Account } from '../../prisma/generated/client/client.ts';
import {
  relationsToAccount,
  relationsToOrganization,
  seesAccount,
  seesOrganization,
} from '../authorization/viewer-relations.ts';
import type { Viewer } from '../identity/viewer.ts';
import {
  findMember,
  findOrganization,
  findProduct,
  findSite,
  type Organization,
} from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import { isWellFormed, type Role, roleRules } from '../roles/role.ts';
import type { RoleAssignmentRow } from '../roles/store.ts';
import { isVendorAddress } from '../roles/vendor-domains.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { invalidInput, invalidState } from './refusal.ts';

export type AssignRoleInput = {
  accountId: string;
  role: Role;
  organizationId: string;
  siteId: string | null;
  productId: string | null;
  /** SCIM: pushed by the identity provider, and not counting until synced. */
  origin: 'DIRECT' | 'SCIM';
};

type AssignFacts = {
  id: string;
  organization: Organization;
  account: Account | null;
  isMember: boolean;
  siteFits: boolean;
  productFits: boolean;
  isHeld: boolean;
  isVendors: boolean;
};

/** Gives a member of the organization a role over all of it, a site, or a product on a site. */
export const assignRole = platformCommand<AssignRoleInput, AssignFacts, RoleAssignmentRow>({
  operation: 'assignRole',
  action: 'role.assign',
  refusals: ['ALREADY_EXISTS', 'VENDOR_ADDRESS'],
  resource: 'RoleAssignment',
  // The role needs the membership.
  rights: ({ accountId }) => ({ accountId, purpose: 'KEEP' }),
  seesAnswer: seesRole,
  load: async (tx, { accountId, role, organizationId, siteId, productId }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const site = siteId === null ? null : await findSite(tx, siteId);
    const product = productId === null ? null : await findProduct(tx, productId);
    const { account, isMember } = await findMember(tx, organizationId, { id: accountId });
    return {
      id: newId(now),
      ...{ organization, account, isMember },
      isVendors: account !== null && (await isVendorAddress(tx, account.email)),
      siteFits: siteId === null || site?.organizationId === organizationId,
      productFits: productId === null || (product !== null && product.siteId === siteId),
      isHeld:
        (await tx.roleAssignment.count({ where: { accountId, role, organizationId, siteId, productId } })) >
        0,
    };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: (_, { accountId }) => ({ type: 'User', id: accountId }),
  decide: ({ id, account, isMember, isVendors, siteFits, productFits, isHeld }, input, { now }) => {
    if (account === null || !isMember) {
      return {
        refused: invalidInput('userId', 'must be a member of the organization. Add the user first.'),
      };
    }
    if (isVendors) return { refused: invalidState('VENDOR_ADDRESS') };
    if (!siteFits) return { refused: invalidInput('siteId', 'must be a site of the organization.') };
    if (!productFits) return { refused: invalidInput('productId', 'must be a product on that site.') };
    if (!isWellFormed(input)) return { refused: invalidInput('role', coverageMessage(input.role)) };
    if (isHeld) return { refused: alreadyExists(`${account.email} holds this role already.`) };
    const syncState = input.origin === 'SCIM' ? 'PENDING_SYNC' : 'SYNCED';
    const assignment: RoleAssignmentRow = { id, ...input, syncState, createdAt: now };
    return {
      answer: assignment,
      write: async (tx) => {
        await tx.roleAssignment.create({ data: assignment });
      },
      entry: {
        auditResource: { type: 'RoleAssignment', id },
        auditContext: { organizationId: input.organizationId, siteId: input.siteId },
        details: { email: account.email, ...roleDetails(assignment) },
      },
      accessChangedFor: [account.id],
    };
  },
});

type HeldFacts = { assignment: RoleAssignmentRow; email: string };

/** A removed role stops counting at once. */
export const removeRole = platformCommand<{ roleAssignmentId: string }, HeldFacts, RoleAssignmentRow>({
  operation: 'removeRole',
  action: 'role.remove',
  refusals: [],
  resource: 'RoleAssignment',
  seesAnswer: seesRole,
  rights: ({ roleAssignmentId }) => ({ roleAssignmentId, purpose: 'TAKE_AWAY' }),
  load: async (tx, { roleAssignmentId }) => {
    const found = await tx.roleAssignment.findUnique({
      where: { id: roleAssignmentId },
      include: { account: { select: { email: true } } },
      relationLoadStrategy: 'join',
    });
    if (found === null) return null;
    const { account, ...assignment } = found;
    return { assignment, email: account.email };
  },
  organizationId: ({ assignment }) => assignment.organizationId,
  account: ({ assignment: { accountId, organizationId } }) => ({
    id: accountId,
    organizationIds: [organizationId],
  }),
  auditResource: ({ assignment: { id } }) => ({ type: 'RoleAssignment', id }),
  decide: ({ assignment, email }) => ({
    answer: assignment,
    write: async (tx) => {
      await tx.roleAssignment.deleteMany({ where: { id: assignment.id } });
    },
    entry: {
      auditContext: { organizationId: assignment.organizationId, siteId: assignment.siteId },
      details: { email, ...roleDetails(assignment) },
    },
    accessChangedFor: [assignment.accountId],
  }),
});

/** As visibleRoleAssignments, for a role that may be gone: its holder may have left the organization since. */
function seesRole(viewer: Viewer, { accountId: id, organizationId }: RoleAssignmentRow): boolean {
  return (
    seesOrganization(relationsToOrganization(viewer, organizationId)) &&
    seesAccount(relationsToAccount(viewer, { id, organizationIds: [organizationId] }))
  );
}

/** What an audit entry says of a role, besides its holder's email. */
export function roleDetails({
  accountId: userId,
  role,
  siteId,
  productId,
  origin,
  syncState,
}: RoleAssignmentRow) {
  return { userId, role, siteId, productId, origin, syncState };
}

type SyncFacts = { organization: Organization; waiting: { id: string; accountId: string }[] };

/** Makes the roles of the organization count that its identity provider has pushed and that wait for a sync. */
export const triggerScimSync = platformCommand<{ organizationId: string }, SyncFacts, Organization>({
  operation: 'triggerScimSync',
  action: 'role.sync',
  refusals: [],
  resource: 'Organization',
  load: async (tx, { organizationId }) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const waiting = await tx.roleAssignment.findMany({
      where: { organizationId, syncState: 'PENDING_SYNC' },
      select: { id: true, accountId: true },
    });
    return { organization, waiting };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: ({ organization, waiting }) => ({
    answer: organization,
    write: async (tx) => {
      await tx.roleAssignment.updateMany({
        where: { id: { in: waiting.map(({ id }) => id) }, syncState: 'PENDING_SYNC' },
        data: { syncState: 'SYNCED' },
      });
    },
    entry: { details: { synced: waiting.length } },
    accessChangedFor: [...new Set(waiting.map(({ accountId }) => accountId))],
  }),
});

function coverageMessage(role: Role): string {
  const { covers, label } = roleRules[role];
  switch (covers) {
    case 'ORGANIZATION':
      return `${label} is held over the whole organization: name no site and no product.`;
    case 'SITE':
      return `${label} is held over a site: name the site and no product.`;
    case 'PRODUCT':
      return `${label} is held over a product on a site: name both.`;
    case 'LISTING':
      return `${label} is listed on a site, for a product or site-wide: name the site.`;
    case 'ORGANIZATION_OR_SITE':
      return `${label} is held over the organization or a site: name no product.`;
  }
}
