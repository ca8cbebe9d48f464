/** The commands that assign and remove roles. */
import type { Account } from '../../prisma/generated/client/client.ts';
import {
  relationsToAccount,
  relationsToOrganization,
  relationsToProposedChange,
  seesAccount,
  seesOrganization,
  seesProposedChange,
} from '../authorization/viewer-relations.ts';
import type { Viewer } from '../identity/viewer.ts';
import { lockRemovalOfRole, shareGuard } from '../organizations/locks.ts';
import {
  findMember,
  findOrganization,
  findProduct,
  findSite,
  type Organization,
} from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import type { ProposedChange } from '../proposals/store.ts';
import type { NamedPlace } from '../proposals/summary.ts';
import { isWellFormed, type Role, roleRules } from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';
import {
  type AdminFacts,
  findAdminFacts,
  hasAnotherAdmin,
  noteFormerAdmin,
  type RoleAssignmentRow,
} from '../roles/store.ts';
import { isVendorAddress } from '../roles/vendor-domains.ts';
import {
  assignmentChange,
  assignmentOf,
  findGuardRoleFacts,
  type GuardRoleFacts,
  insteadOfAppointing,
  insteadOfRemoving,
  removalOf,
} from './guard-roles.ts';
import { findNamedAssignment } from './named-assignment.ts';
import { leavesNoAdmin, mailsAboutOperator, waitOfOperator } from './operator-roles.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { findProposalFacts, isProposedChange, type ProposalFacts, propose } from './propose.ts';
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
  place: NamedPlace;
  /** Read for a Guard admin. */
  guardRole: GuardRoleFacts | null;
  admins: AdminFacts;
  proposal: ProposalFacts;
};

/** Gives a member of the organization a role over all of it, a site, or a product on a site. */
export const assignRole = platformCommand<AssignRoleInput, AssignFacts, RoleAssignmentRow | ProposedChange>({
  operation: 'assignRole',
  action: 'role.assign',
  refusals: [
    ...(['ALREADY_EXISTS', 'VENDOR_ADDRESS', 'OWN_GUARD_ROLE', 'NO_GUARD_ADMIN'] as const),
    ...(['ANOTHER_CHANGE_WAITS', 'TOO_MANY_CHANGES_WAIT'] as const),
  ],
  resource: 'RoleAssignment',
  // The role needs the membership.
  rights: ({ accountId }) => ({ accountId, purpose: 'KEEP' }),
  seesAnswer: seesRole,
  lock: async (tx, { role, organizationId }) => {
    if (role === 'GUARD_ADMIN') await shareGuard(tx, organizationId);
  },
  load: async (tx, input, now) => {
    const { accountId, role, organizationId, siteId, productId } = input;
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const site = siteId === null ? null : await findSite(tx, siteId);
    const product = productId === null ? null : await findProduct(tx, { productId });
    const { account, isMember } = await findMember(tx, organizationId, { id: accountId });
    const about = assignmentOf(input);
    const guardRole =
      role === 'GUARD_ADMIN' ? await findGuardRoleFacts(tx, organizationId, about, now) : null;
    return {
      id: newId(now),
      ...{ organization, account, isMember },
      isVendors: account !== null && (await isVendorAddress(tx, account.email)),
      siteFits: siteId === null || site?.organizationId === organizationId,
      productFits: productId === null || (product !== null && product.siteId === siteId),
      isHeld:
        (await tx.roleAssignment.count({ where: { accountId, role, organizationId, siteId, productId } })) >
        0,
      place: { organization: organization.name, site: site?.url ?? null, product: product?.name ?? null },
      guardRole,
      admins: await findAdminFacts(tx, organizationId),
      proposal: guardRole?.proposal ?? (await findProposalFacts(tx, organizationId, about, now)),
    };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: (_, { accountId }) => ({ type: 'User', id: accountId }),
  decide: (
    { id, account, isMember, isVendors, siteFits, productFits, isHeld, place, guardRole, admins, proposal },
    input,
    by,
  ) => {
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
    const { email } = account;
    const instead = guardRole && insteadOfAppointing(input, { email, place }, guardRole, by);
    if (instead !== null) return instead;
    const change = assignmentChange(input, email, place);
    const wait = waitOfOperator(admins, by);
    if (wait !== null) return propose(change, wait, proposal, by);
    const syncState = input.origin === 'SCIM' ? 'PENDING_SYNC' : 'SYNCED';
    const assignment: RoleAssignmentRow = { id, ...input, syncState, createdAt: by.now, syncedAt: null };
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
      mails: mailsAboutOperator({ id, organizationId: input.organizationId, summary: change.summary }, by),
      accessChangedFor: [account.id],
    };
  },
});

type HeldFacts = {
  assignment: RoleAssignmentRow;
  email: string;
  place: NamedPlace;
  /** Whether the organization has another active admin, or the role is another one. */
  hasAnotherAdmin: boolean;
  /** Read for a Guard admin. */
  guardRole: GuardRoleFacts | null;
};

/** A removed role stops counting at once. */
export const removeRole = platformCommand<
  { roleAssignmentId: string },
  HeldFacts,
  RoleAssignmentRow | ProposedChange
>({
  operation: 'removeRole',
  action: 'role.remove',
  refusals: ['TOO_MANY_CHANGES_WAIT', 'LAST_ORGANIZATION_ADMIN'],
  resource: 'RoleAssignment',
  seesAnswer: seesRole,
  lock: (tx, { roleAssignmentId }) => lockRemovalOfRole(tx, roleAssignmentId),
  rights: ({ roleAssignmentId }) => ({ roleAssignmentId, purpose: 'TAKE_AWAY' }),
  load: async (tx, { roleAssignmentId }, now) => {
    const found = await findNamedAssignment(tx, roleAssignmentId);
    if (found === null) return null;
    const { role, organizationId } = found.assignment;
    const guards = role === 'GUARD_ADMIN' && counts(found.assignment);
    const isAdmin = role === 'ORGANIZATION_ADMIN' && counts(found.assignment);
    return {
      ...found,
      hasAnotherAdmin: !isAdmin || (await hasAnotherAdmin(tx, found.assignment)),
      guardRole: guards
        ? await findGuardRoleFacts(tx, organizationId, removalOf(roleAssignmentId), now)
        : null,
    };
  },
  organizationId: ({ assignment }) => assignment.organizationId,
  account: ({ assignment: { accountId, organizationId } }) => ({
    id: accountId,
    organizationIds: [organizationId],
  }),
  auditResource: ({ assignment: { id } }) => ({ type: 'RoleAssignment', id }),
  decide: ({ assignment, email, place, guardRole, ...facts }, _, by) => {
    if (leavesNoAdmin(assignment.accountId, facts, by))
      return { refused: invalidState('LAST_ORGANIZATION_ADMIN') };
    const instead = guardRole && insteadOfRemoving(assignment, { email, place }, guardRole, by);
    if (instead !== null) return instead;
    return {
      answer: assignment,
      write: async (tx) => {
        if (assignment.role === 'ORGANIZATION_ADMIN') await noteFormerAdmin(tx, assignment, by.now);
        await tx.roleAssignment.deleteMany({ where: { id: assignment.id } });
      },
      entry: {
        auditContext: { organizationId: assignment.organizationId, siteId: assignment.siteId },
        details: { email, ...roleDetails(assignment) },
      },
      accessChangedFor: [assignment.accountId],
    };
  },
});

/** As visibleRoleAssignments, for a role that may be gone: its holder may have left the organization since. */
function seesRole(viewer: Viewer, answer: RoleAssignmentRow | ProposedChange): boolean {
  if (isProposedChange(answer)) return seesProposedChange(relationsToProposedChange(viewer, answer));
  const { accountId: id, organizationId } = answer;
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
