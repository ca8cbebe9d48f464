/** Giving and taking roles. */
import { assignRole, removeRole, triggerScimSync } from '../../commands/change-roles.ts';
import { globalId, optionalGlobalId } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Organization } from '../types/organization.ts';
import { Role, RoleAssignment, RoleOrigin } from '../types/role-assignment.ts';

addCommand(assignRole, {
  type: RoleAssignment,
  description: 'Gives a member of an organization a role. One that comes through SCIM counts after a sync.',
  input: {
    description: 'Who gets which role over what.',
    fields: (t) => ({
      userId: t
        .id({ required: true, description: 'A member of the organization.' })
        .validate(globalId('User')),
      role: t.field({ type: Role, required: true, description: 'The role.' }),
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      siteId: t
        .id({ description: 'The site, for roles over a site or less.' })
        .validate(optionalGlobalId('Site')),
      productId: t
        .id({ description: 'The product on that site, for roles over a product.' })
        .validate(optionalGlobalId('Product')),
      origin: t.field({
        type: RoleOrigin,
        required: true,
        defaultValue: 'DIRECT',
        description: 'Where it comes from.',
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
  type: RoleAssignment,
  description: 'Takes a role away; it stops counting at once. Answers the assignment as it was.',
  input: {
    description: 'Which assignment to remove.',
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
  description: 'Makes the roles count that the identity provider has pushed and that wait for a sync.',
  input: {
    description: 'Which organization to sync.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
    }),
  },
  toInput: (input) => input,
});
