/** The list of accounts. */
import type { Account as AccountRow, Prisma } from '../../../prisma/generated/client/client.ts';
import { visibleAccounts } from '../../authorization/visibility.ts';
import { waysToSeeAccounts } from '../../authorization/ways.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { builder } from '../builder.ts';
import { lookUpKey, maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { Account, AccountConnection, AccountEdge, AccountKind } from '../types/account.ts';
import { periodFields, soughtBy, textField, whereInPeriod } from './conditions.ts';
import { ListOrder } from './order.ts';
import { type Selection, type VisibleList, visibleConnection } from './visible-list.ts';

const AccountFilter = builder.inputType('AccountFilter', {
  description: 'Selects accounts. All the conditions given must hold.',
  fields: (t) => ({
    kind: t.field({ type: AccountKind, description: 'Only accounts of this kind.' }),
    kinds: t
      .field({
        type: [AccountKind],
        description: `Only accounts of one of these kinds, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof AccountKind.$inferType>()),
    organizationId: t
      .id({ description: 'Only members of this organization.' })
      .validate(optionalGlobalId('Organization')),
    email: t
      .string({ description: 'Only the account with exactly this email address, in any case.' })
      .validate(lookUpKey(254).nullish()),
    isActive: t.boolean({
      description: 'True: only accounts that may sign in. False: only those that were deactivated.',
    }),
    text: textField(t, 'Only accounts whose name or email address has this.'),
    ...periodFields(t, 'accounts', 'createdAt'),
  }),
});

const accounts: VisibleList<AccountRow> = {
  table: 'accounts',
  waysOf: waysToSeeAccounts,
  visible: visibleAccounts,
  others: ({ id }, { organizationIds }) => [
    organizationIds === undefined ? { id } : { id, memberships: { organizationId: { in: organizationIds } } },
  ],
  // What an operation selects on accounts of several kinds is not read with them.
  read: ({ services }, _, where, page) => services.database.prisma.account.findMany({ where, ...page }),
};

type Filter = typeof AccountFilter.$inferInput;

function selectionOf(filter: Filter): Selection {
  const { kind, kinds, organizationId, email, isActive, text } = filter;
  const where: Prisma.AccountWhereInput[] = [
    ...(kind == null ? [] : [{ kind }]),
    ...(kinds == null ? [] : [{ kind: { in: kinds } }]),
    ...(email == null ? [] : [{ email: asciiLowerCase(email) }]),
    ...(isActive == null ? [] : [{ active: isActive }]),
  ];
  return {
    place: organizationId == null ? {} : { organizationIds: [organizationId] },
    ...whereInPeriod('createdAt', filter, where),
    ...soughtBy(text),
  };
}

builder.queryField('accounts', (t) =>
  t.connection(
    {
      type: Account,
      nullable: true,
      description:
        'The accounts that the viewer may see, newest first unless asked otherwise: all of them for an operator; their own, and the members of the organizations in which they hold a role that counts, for a user. Null with an error.',
      authScopes: { operation: 'accounts' },
      args: {
        filter: t.arg({
          type: AccountFilter,
          description: 'Which accounts. Default: all that the viewer may see.',
        }),
        orderBy: t.arg({ type: ListOrder, description: 'In which order. Default: the newest first.' }),
      },
      resolve: (_, args, context, info) =>
        visibleConnection(accounts, selectionOf(args.filter ?? {}), {
          args,
          context,
          info,
          name: 'accounts',
        }),
    },
    AccountConnection,
    AccountEdge,
  ),
);
