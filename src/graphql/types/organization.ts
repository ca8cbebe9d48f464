import {
  visibleAuditStreams,
  visibleDeletions,
  visibleInvitations,
  visibleOrganizations,
  visibleProposedChanges,
  visibleSites,
} from '../../authorization/visibility.ts';
import { invitationsInState } from '../../organizations/invitation-store.ts';
import { inState } from '../../proposals/store.ts';
import { builder } from '../builder.ts';
import { readsColumns } from '../compiled/row-fields.ts';
import { viewerOf } from '../context.ts';
import { byId, keysetConnection, nodesPath, nodesQuery, pageOf, relatedRows } from '../keyset-connection.ts';
import { AuditLogBeginning, beginningFor } from './audit-log-beginning.ts';
import { AuditLogHead, headFor } from './audit-log-head.ts';
import { AuditStream, AuditStreamConnection, AuditStreamEdge } from './audit-stream.ts';
import { Invitation, InvitationConnection, InvitationEdge, InvitationState } from './invitation.ts';
import {
  ProposedChange,
  ProposedChangeConnection,
  ProposedChangeEdge,
  ProposedChangeState,
} from './proposed-change.ts';
import {
  RovoDataDeletion,
  RovoDataDeletionConnection,
  RovoDataDeletionEdge,
  RovoDataDeletionState,
} from './rovo-data-deletion.ts';
import { Site, SiteConnection, SiteEdge } from './site.ts';

const [everyOrganization, itsSites] = [byId('organizations'), byId('Organization.sites')];
const itsProposedChanges = byId('Organization.proposedChanges');
const itsDeletions = byId('Organization.rovoDataDeletions');
const itsAuditStreams = byId('Organization.auditStreams');
const itsInvitations = byId('Organization.invitations');

export const Organization = builder.prismaNode('Organization', {
  description: 'A customer of the vendor, with sites, members and their roles.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    name: t.exposeString('name', { viewerIndependent: true, description: 'The display name.' }),
    hasGuard: t.exposeBoolean('hasGuard', {
      viewerIndependent: true,
      description: 'Whether it has Guard, with which it can restrict support access on its sites.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time when the organization was created.',
    }),
    auditRetentionDays: t.exposeInt('auditRetentionDays', {
      nullable: true,
      viewerIndependent: true,
      description: 'For how many days entries of its audit log are kept. Null: for ever.',
    }),
    auditRetentionEffectiveAt: t.expose('auditRetentionEffectiveAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description:
        'The time at which `auditRetentionDays` takes effect: seven days after a shorter retention was set. Until then, entries are kept as before. Null: since it was set.',
    }),
    auditLogBeginning: t.field({
      type: AuditLogBeginning,
      nullable: true,
      viewerIndependent: false,
      description:
        'Where its audit log begins by now, because older entries were removed. For those who see its `auditLogHead`; null for everybody else, and as long as nothing was removed.',
      ...readsColumns(['id']),
      resolve: ({ id }, _, context) => beginningFor(context, id),
    }),
    auditLogHead: t.field({
      type: AuditLogHead,
      nullable: true,
      viewerIndependent: false,
      description:
        'The signed head of its audit log, for those who read the whole log on its side: its admins, auditors, Guard admins of all of it and its own service accounts with `AUDIT_READING`. Null for everybody else, and as long as nothing is sealed.',
      ...readsColumns(['id']),
      resolve: ({ id }, _, context) => headFor(context, id, 'HEAD'),
    }),
    sites: t.connection(
      {
        type: Site,
        viewerIndependent: false,
        description: 'Its sites that the viewer may see, newest first.',
        select: (args, context, nested) => ({
          sites: nested(relatedRows(args, itsSites, visibleSites(viewerOf(context))), nodesPath),
        }),
        resolve: ({ sites }, args) => pageOf(args, itsSites, sites),
      },
      SiteConnection,
      SiteEdge,
    ),
    proposedChanges: t.connection(
      {
        type: ProposedChange,
        viewerIndependent: false,
        description:
          "The changes that take two people, newest first: all of them for its organization admins and Guard admins, and the viewer's own for everybody else.",
        args: {
          state: t.arg({ type: ProposedChangeState, description: 'Only changes in this state now.' }),
        },
        select: (args, context, nested) => ({
          proposedChanges: nested(
            relatedRows(args, itsProposedChanges, {
              AND: [
                visibleProposedChanges(viewerOf(context)),
                args.state == null ? {} : inState(args.state, context.services.clock()),
              ],
            }),
            nodesPath,
          ),
        }),
        resolve: ({ proposedChanges }, args) => pageOf(args, itsProposedChanges, proposedChanges),
      },
      ProposedChangeConnection,
      ProposedChangeEdge,
    ),
    invitations: t.connection(
      {
        type: Invitation,
        viewerIndependent: false,
        description:
          "The invitations to become a member, newest first: all of them for its organization admins and operators, and those of the viewer's own address for everybody else.",
        args: {
          state: t.arg({ type: InvitationState, description: 'Only invitations in this state now.' }),
        },
        select: (args, context, nested) => ({
          invitations: nested(
            relatedRows(args, itsInvitations, {
              AND: [
                visibleInvitations(viewerOf(context)),
                args.state == null ? {} : invitationsInState(args.state, context.services.clock()),
              ],
            }),
            nodesPath,
          ),
        }),
        resolve: ({ invitations }, args) => pageOf(args, itsInvitations, invitations),
      },
      InvitationConnection,
      InvitationEdge,
    ),
    auditStreams: t.connection(
      {
        type: AuditStream,
        viewerIndependent: false,
        description:
          'The endpoints to which its audit log is sent, newest first, for its organization admins, auditors and Guard admins of all of it. Empty for everybody else.',
        select: (args, context, nested) => ({
          auditStreams: nested(
            relatedRows(args, itsAuditStreams, visibleAuditStreams(viewerOf(context))),
            nodesPath,
          ),
        }),
        resolve: ({ auditStreams }, args) => pageOf(args, itsAuditStreams, auditStreams),
      },
      AuditStreamConnection,
      AuditStreamEdge,
    ),
    rovoDataDeletions: t.connection(
      {
        type: RovoDataDeletion,
        viewerIndependent: false,
        description:
          "The deletions of Rovo's data that were requested, newest first: all of them for its organization admins, operators and the backend of Rovo, and the viewer's own for everybody else.",
        args: {
          state: t.arg({ type: RovoDataDeletionState, description: 'Only deletions in this state.' }),
        },
        select: (args, context, nested) => ({
          rovoDataDeletions: nested(
            relatedRows(args, itsDeletions, {
              AND: [visibleDeletions(viewerOf(context)), args.state == null ? {} : { state: args.state }],
            }),
            nodesPath,
          ),
        }),
        resolve: ({ rovoDataDeletions }, args) => pageOf(args, itsDeletions, rovoDataDeletions),
      },
      RovoDataDeletionConnection,
      RovoDataDeletionEdge,
    ),
  }),
});

const OrganizationEdge = builder.edgeObject({
  name: 'OrganizationEdge',
  type: Organization,
  description: 'An organization in a list.',
});

const OrganizationConnection = builder.connectionObject(
  { name: 'OrganizationConnection', type: Organization, description: 'A page of organizations.' },
  OrganizationEdge,
);

builder.queryField('organizations', (t) =>
  t.connection(
    {
      type: Organization,
      nullable: true,
      description: 'The organizations that the viewer may see, newest first. Null with an error.',
      authScopes: { operation: 'organizations' },
      resolve: (_, args, context, info) =>
        keysetConnection(args, everyOrganization, ({ where, ...window }) =>
          context.services.database.prisma.organization.findMany({
            ...nodesQuery(context, info),
            where: { AND: [visibleOrganizations(viewerOf(context)), where] },
            ...window,
          }),
        ),
    },
    OrganizationConnection,
    OrganizationEdge,
  ),
);
