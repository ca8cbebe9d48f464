import { invitationAsOf } from '../../organizations/invitation.ts';
import { builder } from '../builder.ts';

export const InvitationState = builder.enumType('InvitationState', {
  description: 'Whether an invitation waits, or how it ended. Every other state than `WAITING` is final.',
  values: {
    WAITING: { description: 'The person has not accepted yet.' },
    ACCEPTED: { description: 'The person accepted, and became a member.' },
    WITHDRAWN: { description: 'It was withdrawn.' },
    EXPIRED: { description: 'The person did not accept in time.' },
  } as const,
});

export const Invitation = builder.prismaNode('Invitation', {
  description:
    'An invitation of an address to become a member of an organization. It says nothing about whether anybody has that address.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    organizationName: t.string({
      description: 'The display name of the organization, which the invited person may not see yet.',
      select: { organization: { select: { name: true } } },
      resolve: ({ organization }) => organization.name,
    }),
    email: t.exposeString('email', { description: 'The invited address, in lower case.' }),
    name: t.exposeString('name', {
      description: 'The display name that the organization admin gave. An account has its own.',
    }),
    invitedByName: t.string({
      description: 'The display name of the organization admin who sent it.',
      select: { invitedBy: { select: { name: true } } },
      resolve: ({ invitedBy }) => invitedBy.name,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time when it was sent.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'The time until which it may be accepted.',
    }),
    state: t.field({
      type: InvitationState,
      description: 'Whether it waits, or how it ended.',
      resolve: (row, _, { services }) => invitationAsOf(row, services.clock()).state,
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The time when it was accepted or withdrawn, or expired. Null as long as it waits.',
      resolve: (row, _, { services }) => invitationAsOf(row, services.clock()).endedAt,
    }),
  }),
});

export const InvitationEdge = builder.edgeObject({
  name: 'InvitationEdge',
  type: Invitation,
  description: 'An invitation in a list.',
});

export const InvitationConnection = builder.connectionObject(
  { name: 'InvitationConnection', type: Invitation, description: 'A page of invitations.' },
  InvitationEdge,
);
