/** Filling a deployment: organizations, sites, products, accounts. */
import { z } from 'zod';
import {
  addOperator,
  addServiceAccount,
  addSupportEngineer,
  addUser,
  deactivateAccount,
  reactivateAccount,
  removeUser,
} from '../../commands/provision-accounts.ts';
import {
  createOrganization,
  createSite,
  licenseProduct,
  unlicenseProduct,
} from '../../commands/provision-organization.ts';
import { email, globalId, line, optionalGlobalId, productKey, siteUrl } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import {
  accountTypeOf,
  Operator,
  ServiceAccount,
  ServiceCapability,
  SupportEngineer,
  User,
} from '../types/account.ts';
import { Organization } from '../types/organization.ts';
import { Product, Site, UserManagementExperience } from '../types/site.ts';

addCommand(createOrganization, {
  type: Organization,
  description: 'Creates an organization.',
  input: {
    description: 'A new customer.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'The display name.' }).validate(line(200)),
      hasGuard: t.boolean({ required: true, defaultValue: false, description: 'Whether it has Guard.' }),
    }),
  },
  toInput: (input) => input,
});

addCommand(createSite, {
  type: Site,
  description: 'Creates a site of an organization.',
  input: {
    description: 'A new site.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      url: t.string({ required: true, description: 'Where it is: `https://` and a host.' }).validate(siteUrl),
      name: t.string({ required: true, description: 'The display name.' }).validate(line(200)),
      experience: t.field({
        type: UserManagementExperience,
        required: true,
        defaultValue: 'CENTRALIZED',
        description: 'How it manages its users.',
      }),
      dataResidencyRegion: t
        .string({
          required: true,
          defaultValue: 'GLOBAL',
          description: 'The region its data stays in: `EU`.',
        })
        .validate(line(40)),
    }),
  },
  toInput: (input) => input,
});

addCommand(licenseProduct, {
  type: Product,
  description: 'Licenses a product on a site, for the first time or again.',
  input: {
    description: 'Which product on which site.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      key: t
        .string({ required: true, description: 'What product it is, the same on every site: `jira`.' })
        .validate(productKey),
      name: t.string({ required: true, description: 'The display name.' }).validate(line(200)),
    }),
  },
  toInput: (input) => input,
});

addCommand(unlicenseProduct, {
  type: Product,
  description: 'Ends the licence of a product on its site, and with it every open grant for it.',
  input: {
    description: 'Which product.',
    fields: (t) => ({
      productId: t
        .id({ required: true, description: 'The product on its site.' })
        .validate(globalId('Product')),
    }),
  },
  toInput: (input) => input,
});

function person(t: InputFields) {
  return {
    email: t.string({ required: true, description: 'The email address in their tokens.' }).validate(email),
    name: t.string({ required: true, description: 'The display name.' }).validate(line(200)),
  };
}

addCommand(addUser, {
  type: User,
  description: 'Makes somebody a member of an organization: a new user, or one of another organization.',
  input: {
    description: 'Who becomes a member of what.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      ...person(t),
    }),
  },
  toInput: (input) => input,
});

addCommand(removeUser, {
  type: User,
  description: 'Ends a membership, and with it every role the user holds in the organization.',
  input: {
    description: 'Who leaves what.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      userId: t.id({ required: true, description: 'The user.' }).validate(globalId('User')),
    }),
  },
  toInput: ({ organizationId, userId }) => ({ organizationId, accountId: userId }),
});

addCommand(addSupportEngineer, {
  type: SupportEngineer,
  description: 'Adds a support engineer of the vendor.',
  input: { description: 'Who.', fields: person },
  toInput: (input) => input,
});

addCommand(addOperator, {
  type: Operator,
  description: 'Adds an operator of the vendor.',
  input: { description: 'Who.', fields: person },
  toInput: (input) => input,
});

addCommand(addServiceAccount, {
  type: ServiceAccount,
  description: "Adds a program: for one organization, or the vendor's own for all of them.",
  input: {
    description: 'Which program, and what it may do.',
    fields: (t) => ({
      ...person(t),
      capabilities: t
        .field({ type: [ServiceCapability], required: true, description: 'What it may do.' })
        .validate(
          z
            .array(z.enum(['TICKETING', 'GRANT_WATCHING', 'AUDIT_READING']))
            .min(1, 'must name at least one.')
            .transform((names) => [...new Set(names)]),
        ),
      organizationId: t
        .id({ description: 'The one organization it is bound to; left out: all of them.' })
        .validate(optionalGlobalId('Organization')),
    }),
  },
  toInput: ({ organizationId, ...input }) => ({ ...input, organizationId: organizationId ?? null }),
});

for (const [command, description] of [
  [
    deactivateAccount,
    'Deactivates an account: from the next request on it can do nothing, and its subscriptions end.',
  ],
  [reactivateAccount, 'Reactivates an account.'],
] as const) {
  addCommand(command, {
    type: { types: [User, SupportEngineer, Operator, ServiceAccount], typeNameOf: accountTypeOf },
    description,
    input: {
      description: 'Which account.',
      fields: (t) => ({
        accountId: t
          .id({ required: true, description: 'The account.' })
          .validate(globalId('User', 'SupportEngineer', 'Operator', 'ServiceAccount')),
      }),
    },
    toInput: (input) => input,
  });
}
