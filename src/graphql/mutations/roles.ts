/** Mutations that assign, remove and sync roles. */
import { assignRole, removeRole } from '../../commands/assign-and-remove-roles.ts';
import { triggerScimSync } from '../../commands/sync-roles.ts';
import { globalId, optionalGlobalId } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Organization } from '../types/organization.ts';
import { Role, RoleAssignment, RoleOrigin } from '../types/role-assignment.ts';
import { orProposed } from './or-proposed.ts';

addCommand(assignRole, {
  type: orProposed(RoleAssignment),
  description:
    'Assigns a role to a member of an organization. A role from SCIM counts only after a sync. Where support access is restricted on a site of the organization, making a Guard admin takes two people, so the result is a proposed change. Nobody makes themselves a Guard admin. What an operator assigns is a proposed change for an organization admin to confirm, unless the organization has no active one.',
  input: {
    description: 'The user, the role, and what it is held over.',
    fields: (t) => ({
      userId: t
        .id({ required: true, description: 'The user, a member of the organization.' })
        .validate(globalId('User')),
      role: t.field({ type: Role, required: true, description: 'The role.' }),
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      siteId: t
        .id({
          description:
            'The site, for a role over a site or over a product. Left out for a role over the organization.',
        })
        .validate(optionalGlobalId('Site')),
      productId: t
        .id({ description: 'The product on that site, for a role over a product. Left out for other roles.' })
        .validate(optionalGlobalId('Product')),
      origin: t.field({
        type: RoleOrigin,
        required: true,
        defaultValue: 'DIRECT',
        description: 'Whether it is assigned here or pushed by the identity provider.',
      }),
    }),
  },
  toInput: ({ userId, siteId, productId, ...input }) => ({
    ...input,
    accountId: userId,
    siteId: siteId ?? null,
    productId: productId ?? null,
  }),
});

addCommand(removeRole, {
  type: orProposed(RoleAssignment),
  description:
    'Removes a role assignment, which stops counting at once. Returns it as it was. Where support access is restricted on a site of the organization, removing a Guard admin takes two people, so the result is a proposed change.',
  input: {
    description: 'The assignment to remove.',
    fields: (t) => ({
      roleAssignmentId: t
        .id({ required: true, description: 'The assignment.' })
        .validate(globalId('RoleAssignment')),
    }),
  },
  toInput: (input) => input,
});

addCommand(triggerScimSync, {
  type: Organization,
  description:
    'Syncs the roles that the identity provider has pushed: they count from now on. Where support access is restricted on a site of the organization, the roles of Guard admins are proposed instead, and so is every role by an operator, unless the organization has no active organization admin. They are among its `proposedChanges`.',
  input: {
    description: 'The organization whose roles to sync.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
    }),
  },
  toInput: (input) => input,
});
