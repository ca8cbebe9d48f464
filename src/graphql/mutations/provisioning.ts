/** Mutations that provision organizations, sites, products and accounts. */
import { z } from 'zod';
import { acceptInvitation, inviteUser, withdrawInvitation } from '../../commands/invite-users.ts';
import {
  addComplianceAnalyst,
  addOperator,
  addServiceAccount,
  addSupportEngineer,
  addUser,
  removeUser,
} from '../../commands/provision-accounts.ts';
import {
  createOrganization,
  createSite,
  licenseProduct,
  setOrganizationGuard,
  unlicenseProduct,
} from '../../commands/provision-organization.ts';
import { deactivateAccount, reactivateAccount } from '../../commands/switch-account.ts';
import { email, globalId, line, maxValues, optionalGlobalId, productKey, siteUrl } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import {
  accountTypeOf,
  ComplianceAnalyst,
  Operator,
  ServiceAccount,
  ServiceCapability,
  SupportEngineer,
  User,
} from '../types/account.ts';
import { Invitation } from '../types/invitation.ts';
import { Organization } from '../types/organization.ts';
import { Product, Site, UserManagementExperience } from '../types/site.ts';
import { orProposed } from './or-proposed.ts';

addCommand(createOrganization, {
  type: Organization,
  description: 'Creates an organization.',
  input: {
    description: 'The new organization.',
    fields: (t) => ({
      name: t
        .string({ required: true, description: 'The display name, at most 200 characters.' })
        .validate(line(200)),
      hasGuard: t.boolean({
        required: true,
        defaultValue: false,
        description: 'Whether the organization has Guard.',
      }),
    }),
  },
  toInput: (input) => input,
});

addCommand(setOrganizationGuard, {
  type: Organization,
  description:
    'Gives an organization Guard, with which it can restrict support access, or takes it away. It is not taken away while support access is restricted on any of its sites.',
  input: {
    description: 'The organization and whether it has Guard.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      hasGuard: t.boolean({ required: true, description: 'Whether the organization has Guard.' }),
    }),
  },
  toInput: (input) => input,
});

addCommand(createSite, {
  type: Site,
  description: 'Creates a site of an organization.',
  input: {
    description: 'The new site.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      url: t
        .string({
          required: true,
          description:
            'The URL: `https://` and a host, without a path. Case, `:443` and a final dot make no difference. No other site may have it.',
        })
        .validate(siteUrl),
      name: t
        .string({ required: true, description: 'The display name, at most 200 characters.' })
        .validate(line(200)),
      experience: t.field({
        type: UserManagementExperience,
        required: true,
        defaultValue: 'CENTRALIZED',
        description: 'How the site manages its users.',
      }),
      dataResidencyRegion: t
        .string({
          required: true,
          defaultValue: 'GLOBAL',
          description:
            'The region of its data, for example `EU`. `setSupportAccessPolicy` says whether the data may leave it.',
        })
        .validate(line(40)),
    }),
  },
  toInput: (input) => input,
});

addCommand(licenseProduct, {
  type: Product,
  description:
    'Licenses a product on a site, for the first time or again. Refused with NOT_SETTLED_YET as long as what its last licence ended with is not recorded as over.',
  input: {
    description: 'The site and the product.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      key: t
        .string({
          required: true,
          description: 'Which product it is, the same on every site, for example `jira`.',
        })
        .validate(productKey),
      name: t
        .string({ required: true, description: 'The display name, at most 200 characters.' })
        .validate(line(200)),
    }),
  },
  toInput: (input) => input,
});

addCommand(unlicenseProduct, {
  type: Product,
  description:
    'Ends the licence of a product on its site. Every open request and grant for it ends at this moment. Where there are very many, their entries on the audit log and their events follow within seconds.',
  input: {
    description: 'The product on its site.',
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
    email: t
      .string({
        required: true,
        description:
          'The email address, as it is in the tokens of the account. Its ASCII letters are kept in lower case.',
      })
      .validate(email),
    name: t
      .string({ required: true, description: 'The display name, at most 200 characters.' })
      .validate(line(200)),
  };
}

addCommand(addUser, {
  type: User,
  description:
    "Adds a user to an organization: a new account, or the user of another organization with this email address, whose name stays. Refused with `VENDOR_ADDRESS` for an address of the vendor's.",
  input: {
    description: 'The organization and the user.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      ...person(t),
    }),
  },
  toInput: (input) => input,
});

addCommand(inviteUser, {
  type: Invitation,
  description:
    "Invites a person to become a member of an organization, as an organization admin. The answer is the same whether or not anybody has the address, and whoever that is. Nobody gets mail about it: tell the person to sign in and accept. An invitation waits for 14 days. Refused with `VENDOR_ADDRESS` for an address of the vendor's domains.",
  input: {
    description: 'The organization and the person.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      email: t
        .string({
          required: true,
          description: 'The email address, as it is in the tokens of the person, in any case.',
        })
        .validate(email),
      name: t
        .string({
          required: true,
          description:
            'The display name, at most 200 characters. Whoever has an account already keeps the name of that.',
        })
        .validate(line(200)),
    }),
  },
  toInput: (input) => input,
});

const invitation = {
  description: 'The invitation.',
  fields: (t: InputFields) => ({
    invitationId: t.id({ required: true, description: 'The invitation.' }).validate(globalId('Invitation')),
  }),
};

addCommand(withdrawInvitation, {
  type: Invitation,
  description: 'Withdraws an invitation that was not accepted, as an operator or an organization admin.',
  input: invitation,
  toInput: (input) => input,
});

addCommand(acceptInvitation, {
  type: Invitation,
  description:
    'Accepts an invitation: the viewer, whose address it names, becomes a member of the organization. They have no role in it until somebody assigns one.',
  input: invitation,
  toInput: (input) => input,
});

addCommand(removeUser, {
  type: orProposed(User),
  description:
    'Removes a user from an organization, and every role that they hold in it, as an operator or an organization admin. The account stays: the person may belong to other organizations. The last active organization admin cannot remove themself. Where support access is restricted on a site of the organization, removing a Guard admin takes two people, so the result is a proposed change.',
  input: {
    description: 'The organization and the user.',
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
  input: { description: 'The new account.', fields: person },
  toInput: (input) => input,
});

addCommand(addOperator, {
  type: Operator,
  description: 'Adds an operator of the vendor.',
  input: { description: 'The new account.', fields: person },
  toInput: (input) => input,
});

addCommand(addComplianceAnalyst, {
  type: ComplianceAnalyst,
  description:
    'Adds a compliance analyst of the vendor: a person who reads the audit logs of all organizations, and does nothing else.',
  input: { description: 'The new account.', fields: person },
  toInput: (input) => input,
});

addCommand(addServiceAccount, {
  type: ServiceAccount,
  description: 'Adds a service account: of one organization, or of the vendor for all organizations.',
  input: {
    description: 'The new account and what it may do.',
    fields: (t) => ({
      ...person(t),
      capabilities: t
        .field({
          type: [ServiceCapability],
          required: true,
          description: `What it may do: 1 to ${maxValues} capabilities.`,
        })
        .validate(
          z
            .array(z.enum(['TICKETING', 'GRANT_WATCHING', 'AUDIT_READING', 'ACCESS_EVALUATION']))
            .min(1, 'must name at least one.')
            .max(maxValues, `must have at most ${maxValues} values.`)
            .transform((names) => [...new Set(names)]),
        ),
      organizationId: t
        .id({ description: 'The organization that it is bound to. Default: all organizations.' })
        .validate(optionalGlobalId('Organization')),
      evaluatedProducts: t
        .stringList({
          description: `The keys of the products whose backend it is, for example \`jira\`: 1 to ${maxValues} with the capability \`ACCESS_EVALUATION\`, none without it. It may ask about these products only.`,
        })
        .validate(
          z
            .array(productKey)
            .max(maxValues, `must have at most ${maxValues} values.`)
            .transform((keys) => [...new Set(keys)])
            .nullish(),
        ),
    }),
  },
  toInput: ({ organizationId, evaluatedProducts, ...input }) => ({
    ...{ ...input, organizationId: organizationId ?? null },
    ...(evaluatedProducts == null ? {} : { evaluatedProducts }),
  }),
});

for (const [command, description] of [
  [
    deactivateAccount,
    'Deactivates an account. It cannot sign in from the next request on, and its subscriptions end. The open tickets of a support engineer are assigned to nobody, with their grants.',
  ],
  [
    reactivateAccount,
    'Reactivates an account, which can sign in again. A support engineer gets no tickets back, and a user no roles in an organization that has an active organization admin.',
  ],
] as const) {
  addCommand(command, {
    type: {
      types: [User, SupportEngineer, Operator, ComplianceAnalyst, ServiceAccount],
      typeNameOf: accountTypeOf,
    },
    description,
    input: {
      description: 'The account.',
      fields: (t) => ({
        accountId: t
          .id({ required: true, description: 'The account.' })
          .validate(globalId('User', 'SupportEngineer', 'Operator', 'ComplianceAnalyst', 'ServiceAccount')),
      }),
    },
    toInput: (input) => input,
  });
}
