import { visibleDeletions } from '../../authorization/visibility.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { byId, keysetConnection, nodesQuery } from '../keyset-connection.ts';
import { Account } from './account.ts';
import { deletionPermissions, RovoDataDeletionPermissions } from './permissions.ts';

export const RovoDataDeletionState = builder.enumType('RovoDataDeletionState', {
  description: "How far a deletion of Rovo's data is.",
  values: {
    REQUESTED: { description: 'It waits for the backend of Rovo to begin, and can be withdrawn.' },
    IN_PROGRESS: { description: 'The backend of Rovo has begun.' },
    COMPLETED: { description: 'The data is deleted. Final.' },
    FAILED: { description: 'An attempt failed. It stays open, and the backend of Rovo begins again.' },
    WITHDRAWN: { description: 'It was withdrawn before it began. Final.' },
  } as const,
});

export const RovoDataDeletion = builder.prismaNode('RovoDataDeletion', {
  description:
    'A request to delete what Rovo has stored about an organization, or about one of its sites. It has nothing to do with grants: it ends none, and none delays it.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    organization: t.relation('organization', { description: 'The organization whose data is deleted.' }),
    site: t.relation('site', {
      nullable: true,
      description: 'The site whose data is deleted. Null: all of the organization.',
    }),
    requestedBy: t.relation('requestedBy', { type: Account, description: 'The account that requested it.' }),
    requestedAt: t.expose('requestedAt', {
      type: 'DateTime',
      description: 'The time when it was requested.',
    }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'Why it was requested. Null where no reason was given.',
    }),
    state: t.expose('state', { type: RovoDataDeletionState, description: 'How far it is.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when the last attempt began. Null where none has.',
    }),
    failureReason: t.exposeString('failureReason', {
      nullable: true,
      description:
        'Why the last attempt failed. Null in every other state than `FAILED`, and where no reason was given.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when it was completed or withdrawn. Null as long as it is open.',
    }),
    version: t.exposeInt('version', { description: 'Starts at 1, and grows by one with every change.' }),
    viewerMay: t.field({
      type: RovoDataDeletionPermissions,
      description: 'What the viewer may do with it at this moment.',
      resolve: (row, _, context) => deletionPermissions(row, context),
    }),
  }),
});

export const RovoDataDeletionEdge = builder.edgeObject({
  name: 'RovoDataDeletionEdge',
  type: RovoDataDeletion,
  description: "A deletion of Rovo's data in a list.",
});

export const RovoDataDeletionConnection = builder.connectionObject(
  {
    name: 'RovoDataDeletionConnection',
    type: RovoDataDeletion,
    description: "A page of deletions of Rovo's data.",
  },
  RovoDataDeletionEdge,
);

const everyDeletion = byId('rovoDataDeletions');

builder.queryField('rovoDataDeletions', (t) =>
  t.connection(
    {
      type: RovoDataDeletion,
      nullable: true,
      description:
        "The deletions of Rovo's data that the viewer may see, newest first. So the backend of Rovo finds what was requested. Null with an error.",
      authScopes: { operation: 'rovoDataDeletions' },
      args: {
        state: t.arg({ type: RovoDataDeletionState, description: 'Only deletions in this state.' }),
      },
      resolve: (_, args, context, info) =>
        keysetConnection(args, everyDeletion, ({ where, ...window }) =>
          context.services.database.prisma.rovoDataDeletion.findMany({
            ...nodesQuery(context, info),
            where: {
              AND: [
                visibleDeletions(viewerOf(context)),
                args.state == null ? {} : { state: args.state },
                where,
              ],
            },
            ...window,
          }),
        ),
    },
    RovoDataDeletionConnection,
    RovoDataDeletionEdge,
  ),
);
