import { visibleOrganizations, visibleSites } from '../../authorization/visibility.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { byId, keysetConnection, nodesQuery } from '../keyset-connection.ts';
import { SiteConnection, SiteEdge } from './site.ts';

export const Organization = builder.prismaNode('Organization', {
  description: 'A customer: it has sites, members, and the roles they hold.',
  id: { field: 'id', description: 'The global id.' },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The display name.' }),
    hasGuard: t.exposeBoolean('hasGuard', {
      description: 'Whether it has Guard, and so may restrict support access on its sites.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    sites: t.relatedConnection(
      'sites',
      {
        cursor: 'id',
        description: 'Its sites that the viewer may see, newest first.',
        query: (_, context) => ({ where: visibleSites(viewerOf(context)), orderBy: { id: 'desc' } }),
      },
      SiteConnection,
      SiteEdge,
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
      description: 'The organizations the viewer may see, newest first.',
      authScopes: { operation: 'organizations' },
      resolve: (_, args, context, info) =>
        keysetConnection(args, byId, ({ where, ...window }) =>
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
