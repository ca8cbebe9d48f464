import { visibleAccounts } from '../../authorization/visibility.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { optionalLine } from '../input.ts';
import { byId, keysetConnection } from '../keyset-connection.ts';

const typenames = {
  USER: 'User',
  SUPPORT_ENGINEER: 'SupportEngineer',
  OPERATOR: 'Operator',
  SERVICE_ACCOUNT: 'ServiceAccount',
} as const;

/** The name of the type of an account of this kind. */
export function accountTypeOf({ kind }: { kind: keyof typeof typenames }): string {
  return typenames[kind];
}

export const AccountKind = builder.enumType('AccountKind', {
  description: 'What an account is; it never changes.',
  values: {
    USER: { description: "A customer's user." },
    SUPPORT_ENGINEER: { description: 'An engineer of the vendor who works on tickets.' },
    OPERATOR: { description: "The vendor's operator of this gateway." },
    SERVICE_ACCOUNT: { description: 'A program: a ticketing system, a product backend, a SIEM.' },
  } as const,
});

export const ServiceCapability = builder.enumType('ServiceCapability', {
  description: 'What a service account may do.',
  values: {
    TICKETING: { description: 'File, assign and close tickets.' },
    GRANT_WATCHING: { description: 'See tickets and grants, and hear of every change.' },
    AUDIT_READING: { description: 'Read the audit log.' },
  } as const,
});

export const Account = builder.prismaInterface('Account', {
  name: 'Account',
  description: 'Somebody or something that can sign in.',
  interfaces: [builder.nodeInterfaceRef()],
  resolveType: accountTypeOf,
  fields: (t) => ({
    name: t.exposeString('name', { viewerIndependent: true, description: 'The display name.' }),
    email: t.exposeString('email', {
      viewerIndependent: true,
      description: 'The email address, in lower case. Unique.',
    }),
    kind: t.expose('kind', { type: AccountKind, viewerIndependent: true, description: 'What it is.' }),
    isActive: t.exposeBoolean('active', { viewerIndependent: true, description: 'Whether it may sign in.' }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When it was added.',
    }),
  }),
});

const AccountEdge = builder.edgeObject({
  name: 'AccountEdge',
  type: Account,
  description: 'An account in a list.',
});

const AccountConnection = builder.connectionObject(
  { name: 'AccountConnection', type: Account, description: 'A page of accounts.' },
  AccountEdge,
);

export const User = builder.prismaNode('Account', {
  variant: 'User',
  description: "A customer's user: a reporter, a role holder, a Guard admin.",
  interfaces: [Account],
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
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
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
});

export const Operator = builder.prismaNode('Account', {
  variant: 'Operator',
  description:
    "The vendor's operator: provisions organizations, sites and accounts, and decides on no grant.",
  interfaces: [Account],
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
});

export const ServiceAccount = builder.prismaNode('Account', {
  variant: 'ServiceAccount',
  description: 'A program that signs in: a ticketing system, a product backend, a SIEM.',
  interfaces: [Account],
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
  fields: (t) => ({
    capabilities: t.expose('capabilities', {
      type: [ServiceCapability],
      viewerIndependent: true,
      description: 'What it may do.',
    }),
  }),
});

const AccountFilter = builder.inputType('AccountFilter', {
  description: 'Which accounts; everything given must hold.',
  fields: (t) => ({
    kind: t.field({ type: AccountKind, description: 'Of this kind.' }),
    email: t.string({ description: 'With exactly this email address.' }).validate(optionalLine(254)),
  }),
});

builder.queryField('accounts', (t) =>
  t.connection(
    {
      type: Account,
      nullable: true,
      description:
        "The accounts the viewer may see: all for an operator, the organization's members for role holders.",
      authScopes: { operation: 'accounts' },
      args: { filter: t.arg({ type: AccountFilter, description: 'Which of them.' }) },
      resolve: (_, args, context) =>
        keysetConnection(args, byId('accounts'), ({ where, ...window }) => {
          const { kind, email } = args.filter ?? {};
          const filter = {
            ...(kind == null ? {} : { kind }),
            ...(email == null ? {} : { email: email.toLowerCase() }),
          };
          return context.services.database.prisma.account.findMany({
            where: { AND: [visibleAccounts(viewerOf(context)), filter, where] },
            ...window,
          });
        }),
    },
    AccountConnection,
    AccountEdge,
  ),
);
