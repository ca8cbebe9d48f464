import type { Viewer as ViewerShape } from '../../identity/viewer.ts';
import { invitationsInState } from '../../organizations/invitation-store.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { Account, AccountKind, ServiceCapability } from './account.ts';
import { Invitation } from './invitation.ts';
import { Organization } from './organization.ts';

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  description: 'The account that sent the request, as a viewer.',
  fields: (t) => ({
    id: t.id({
      description:
        "The global id of the account as a viewer: one for each account, and not the id of the account itself. For caches; `node` doesn't find it.",
      resolve: ({ id }) => encodeGlobalId('Viewer', id),
    }),
    kind: t.field({
      type: AccountKind,
      description: 'The kind of the account.',
      resolve: ({ kind }) => kind,
    }),
    capabilities: t.field({
      type: [ServiceCapability],
      description: 'What a service account may do. Empty for people.',
      resolve: (viewer) => (viewer.kind === 'SERVICE_ACCOUNT' ? [...viewer.capabilities] : []),
    }),
    account: t.field({
      type: Account,
      description: 'The account itself.',
      resolve: ({ id }, _, { services }) =>
        services.database.prisma.account.findUniqueOrThrow({ where: { id } }),
    }),
    organizations: t.field({
      type: [Organization],
      description: 'The organizations that a user is a member of, at most 100. Empty for other accounts.',
      resolve: (viewer, _, { services }) =>
        services.database.prisma.organization.findMany({
          where: { id: { in: viewer.kind === 'USER' ? [...viewer.organizationIds] : [] } },
          orderBy: { id: 'asc' },
          take: 100,
        }),
    }),
    invitations: t.prismaField({
      type: [Invitation],
      description:
        "The invitations of a user's address that wait to be accepted, newest first, at most 100. Empty for other accounts.",
      resolve: (query, viewer, _, { services }) =>
        services.database.prisma.invitation.findMany({
          ...query,
          where: {
            AND: [
              viewer.kind === 'USER' ? { email: viewer.email } : { id: { in: [] } },
              invitationsInState('WAITING', services.clock()),
            ],
          },
          orderBy: { id: 'desc' },
          take: 100,
        }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    description: 'The account that sent the request.',
    authScopes: { operation: 'viewer' },
    resolve: (_, __, context) => viewerOf(context),
  }),
);
