/** The list of role assignments. */
import type { Prisma, RoleAssignment as RoleAssignmentRow } from '../../../prisma/generated/client/client.ts';
import { visibleRoleAssignments } from '../../authorization/visibility.ts';
import { waysToSeeRoleAssignments } from '../../authorization/ways.ts';
import { builder } from '../builder.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import {
  Role,
  RoleAssignment,
  RoleAssignmentConnection,
  RoleAssignmentEdge,
} from '../types/role-assignment.ts';
import { idsField, periodFields, soughtBy, textField, whereInPeriod } from './conditions.ts';
import { ListOrder } from './order.ts';
import { type Selection, type VisibleList, visibleConnection } from './visible-list.ts';

const RoleAssignmentFilter = builder.inputType('RoleAssignmentFilter', {
  description: 'Selects role assignments. All the conditions given must hold.',
  fields: (t) => ({
    organizationId: t
      .id({ description: 'Only assignments in this organization.' })
      .validate(optionalGlobalId('Organization')),
    siteId: t
      .id({ description: 'Only assignments over this site or a product on it.' })
      .validate(optionalGlobalId('Site')),
    userId: t.id({ description: 'Only assignments of this user.' }).validate(optionalGlobalId('User')),
    role: t.field({ type: Role, description: 'Only assignments of this role.' }),
    roles: t
      .field({
        type: [Role],
        description: `Only assignments of one of these roles, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof Role.$inferType>()),
    siteIds: idsField(t, 'Site', 'Only assignments over one of these sites or a product on it'),
    text: textField(t, 'Only assignments of users whose name or email address has this.'),
    ...periodFields(t, 'assignments', 'createdAt'),
  }),
});

const roleAssignments: VisibleList<RoleAssignmentRow> = {
  table: 'role_assignments',
  waysOf: waysToSeeRoleAssignments,
  visible: visibleRoleAssignments,
  others: ({ id: accountId }, { organizationIds }) => [
    organizationIds === undefined ? { accountId } : { accountId, organizationId: { in: organizationIds } },
  ],
  read: ({ services }, query, where, page) =>
    services.database.prisma.roleAssignment.findMany({ ...query, where, ...page }),
};

function selectionOf(filter: typeof RoleAssignmentFilter.$inferInput): Selection {
  const { organizationId, siteId, siteIds, userId, role, roles, text } = filter;
  const where: Prisma.RoleAssignmentWhereInput[] = [
    ...(siteId == null ? [] : [{ siteId }]),
    ...(siteIds == null ? [] : [{ siteId: { in: siteIds } }]),
    ...(userId == null ? [] : [{ accountId: userId }]),
    ...(role == null ? [] : [{ role }]),
    ...(roles == null ? [] : [{ role: { in: roles } }]),
  ];
  return {
    place: organizationId == null ? {} : { organizationIds: [organizationId] },
    ...whereInPeriod('createdAt', filter, where),
    ...soughtBy(text),
  };
}

builder.queryField('roleAssignments', (t) =>
  t.connection(
    {
      type: RoleAssignment,
      nullable: true,
      description:
        "The viewer's own roles and, for the holder of a role that counts, those of their organizations, newest first. Null with an error.",
      authScopes: { operation: 'roleAssignments' },
      args: {
        filter: t.arg({
          type: RoleAssignmentFilter,
          description: 'Which assignments. Default: all that the viewer may see.',
        }),
        orderBy: t.arg({ type: ListOrder, description: 'In which order. Default: the newest first.' }),
      },
      resolve: (_, args, context, info) =>
        visibleConnection(roleAssignments, selectionOf(args.filter ?? {}), {
          ...{ args, context, info },
          name: 'roleAssignments',
        }),
    },
    RoleAssignmentConnection,
    RoleAssignmentEdge,
  ),
);
