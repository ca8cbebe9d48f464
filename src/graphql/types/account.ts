import { visibleAccounts } from '../../authorization/visibility.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { lookUpKey } from '../input.ts';
import { totalCount } from '../lists/total-count.ts';

const typenames = {
  USER: 'User',
  SUPPORT_ENGINEER: 'SupportEngineer',
  OPERATOR: 'Operator',
  COMPLIANCE_ANALYST: 'ComplianceAnalyst',
  SERVICE_ACCOUNT: 'ServiceAccount',
} as const;

/** The name of the GraphQL type for accounts of this kind. */
export function accountTypeOf({ kind }: { kind: keyof typeof typenames }): string {
  return typenames[kind];
}

export const AccountKind = builder.enumType('AccountKind', {
  description: 'The kind of an account. It never changes.',
  values: {
    USER: { description: "A customer's user: a reporter, a role holder, a Guard admin." },
    SUPPORT_ENGINEER: { description: 'An engineer of the vendor who works on tickets.' },
    OPERATOR: { description: "The vendor's operator of this gateway." },
    COMPLIANCE_ANALYST: {
      description:
        'A person of the vendor who reads the audit logs of all organizations, and does nothing else.',
    },
    SERVICE_ACCOUNT: { description: 'A program: a ticketing system, a product backend, a SIEM.' },
  } as const,
});

export const ServiceCapability = builder.enumType('ServiceCapability', {
  description: 'What a service account may do, in the organizations it serves.',
  values: {
    TICKETING: { description: 'File tickets for users, assign them, change their status and close them.' },
    GRANT_WATCHING: {
      description: 'See tickets and grants, and receive the events of every change of a grant.',
    },
    AUDIT_READING: { description: 'Read the audit log.' },
    ACCESS_EVALUATION: {
      description: 'Ask whether an engineer may act on the data of its products, as their backend.',
    },
  } as const,
});

export const Account = builder.prismaInterface('Account', {
  name: 'Account',
  description: 'A person or a program that can sign in.',
  interfaces: [builder.nodeInterfaceRef()],
  resolveType: accountTypeOf,
  fields: (t) => ({
    name: t.exposeString('name', { viewerIndependent: true, description: 'The display name.' }),
    email: t.exposeString('email', {
      viewerIndependent: true,
      description: 'The email address, in lower case. No two accounts have the same.',
    }),
    kind: t.expose('kind', {
      type: AccountKind,
      viewerIndependent: true,
      description:
        'Whether it is a user, a support engineer, an operator, a compliance analyst or a service account.',
    }),
    isActive: t.exposeBoolean('active', {
      viewerIndependent: true,
      description: 'Whether it may sign in. An account that was deactivated may not.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time when the account was added.',
    }),
  }),
});

export const AccountEdge = builder.edgeObject({
  name: 'AccountEdge',
  type: Account,
  description: 'An account in a list.',
});

export const AccountConnection = builder.connectionObject(
  {
    name: 'AccountConnection',
    type: Account,
    description: 'A page of accounts.',
    fields: (t) => ({ totalCount: t.field(totalCount) }),
  },
  AccountEdge,
);

export const User = builder.prismaNode('Account', {
  variant: 'User',
  description: "A customer's user: a reporter, a role holder, a Guard admin.",
  interfaces: [Account],
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
});

export const UserEdge = builder.edgeObject({
  name: 'UserEdge',
  type: User,
  description: 'A user in a list.',
});

export const UserConnection = builder.connectionObject(
  { name: 'UserConnection', type: User, description: 'A page of users.' },
  UserEdge,
);

export const SupportEngineer = builder.prismaNode('Account', {
  variant: 'SupportEngineer',
  description: 'An engineer of the vendor who works on tickets.',
  interfaces: [Account],
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
});

export const Operator = builder.prismaNode('Account', {
  variant: 'Operator',
  description:
    "The vendor's operator: provisions organizations, sites and accounts, and decides on no grant.",
  interfaces: [Account],
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
});

export const ComplianceAnalyst = builder.prismaNode('Account', {
  variant: 'ComplianceAnalyst',
  description:
    'A person of the vendor who reads the audit logs of all organizations, and does nothing else: sees no ticket and no grant, and changes nothing.',
  interfaces: [Account],
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
});

export const ServiceAccount = builder.prismaNode('Account', {
  variant: 'ServiceAccount',
  description: 'A program that signs in: a ticketing system, a product backend, a SIEM.',
  interfaces: [Account],
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    capabilities: t.expose('capabilities', {
      type: [ServiceCapability],
      viewerIndependent: true,
      description: 'What it may do. Never empty.',
    }),
    evaluatedProducts: t.exposeStringList('evaluatedProducts', {
      viewerIndependent: true,
      description:
        'The keys of the products whose backend it is. Empty without the capability `ACCESS_EVALUATION`.',
    }),
  }),
});

builder.queryField('account', (t) =>
  t.prismaField({
    type: Account,
    nullable: true,
    description:
      'The account with this email address. Null where it does not exist or the viewer may not see it. A service account finds whom it works with, in the organizations it serves: with `TICKETING` their members, and the support engineers; with `GRANT_WATCHING` the engineers of their grants; with `AUDIT_READING` both the members and those engineers, as a compliance analyst does in all organizations.',
    authScopes: { operation: 'account' },
    args: {
      email: t.arg.string({
        required: true,
        description: 'The email address, in any case.',
        validate: lookUpKey(254),
      }),
    },
    resolve: (query, _, { email }, context) =>
      context.services.database.prisma.account.findFirst({
        ...query,
        where: { AND: [visibleAccounts(viewerOf(context)), { email: asciiLowerCase(email) }] },
      }),
  }),
);
