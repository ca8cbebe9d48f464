/** Mutations that decide on many grants, each with its own result. */
import { z } from 'zod';
import { approveDataAccess } from '../../commands/approve-data-access.ts';
import { type RefusalKind, refusalKinds } from '../../commands/refusal.ts';
import { revokeDataAccess } from '../../commands/revoke-data-access.ts';
import type { GrantRow } from '../../grants/row.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { builder } from '../builder.ts';
import type { MutationError } from '../errors.ts';
import { globalId, optionalDate, optionalText } from '../input.ts';
import { addMutation, resultUnion } from '../mutation.ts';
import { runCommandForEach } from '../run-command.ts';
import { ErrorInterface } from '../types/error.ts';
import { Grant } from '../types/grant.ts';
import { ApprovalPath } from './grants.ts';

/** The maximum number of grants in one bulk mutation. */
const maxGrants = 200;

const grantIds = z
  .array(globalId('Grant'))
  .min(1, 'must name at least one grant.')
  .max(maxGrants, `must name at most ${maxGrants} grants.`)
  .refine((ids) => new Set(ids).size === ids.length, 'must not name a grant twice.');

type Item = { grantId: string } & ({ row: GrantRow } | { error: MutationError });

/**
 * The errors of one item: those of the commands, without invalid input and a reused key, which are results of the whole
 * mutation. An item names no version that could conflict.
 */
const errorsOfItems: readonly RefusalKind[] = [
  ...refusalKinds([...approveDataAccess.refusals, ...revokeDataAccess.refusals, 'SERVICE_UNAVAILABLE']),
].filter((kind) => kind !== 'InvalidInput' && kind !== 'Conflict');

const BulkItemResult = resultUnion(
  'BulkItemResult',
  'The result for one grant of a bulk mutation: the grant as it is afterwards, or the reason why it was not changed.',
  Grant,
  errorsOfItems,
);

const BulkItem = builder.objectRef<Item>('BulkItem').implement({
  description: 'One grant of a bulk mutation, with its own result.',
  fields: (t) => ({
    grantId: t.id({
      description: 'The global id of the grant, as the caller gave it.',
      resolve: ({ grantId }) => encodeGlobalId('Grant', grantId),
    }),
    result: t.field({
      type: BulkItemResult,
      description: 'The result for this grant, independent of the others.',
      resolve: (item) => ('row' in item ? item.row : item.error) as never,
    }),
    grant: t.field({
      type: Grant,
      nullable: true,
      deprecationReason: 'Use `result`.',
      description: 'The grant as it is afterwards. Null where it was not changed.',
      resolve: (item) => ('row' in item ? item.row : null),
    }),
    error: t.field({
      type: ErrorInterface,
      nullable: true,
      deprecationReason: 'Use `result`.',
      description: 'Why the grant was not changed. Null where it was.',
      resolve: (item) => ('error' in item ? item.error : null),
    }),
  }),
});

const BulkPayload = builder.objectRef<{ results: Item[] }>('BulkPayload').implement({
  description: 'The results of a bulk mutation.',
  fields: (t) => ({
    results: t.field({
      type: [BulkItem],
      description: 'One item for each grant, in the order of `grantIds`.',
      resolve: ({ results }) => results,
    }),
  }),
});

addMutation({
  name: 'approveDataAccessInBulk',
  type: BulkPayload,
  // Every other error is the result of one grant.
  errors: ['InvalidInput', 'Conflict'],
  description:
    'Approves many outstanding requests, each in a transaction of its own: one that is refused does not affect the others.',
  input: {
    description: 'The requests to approve.',
    fields: (t) => ({
      grantIds: t
        .idList({
          required: true,
          description: `The global ids of the requests, 1 to ${maxGrants}, each once.`,
        })
        .validate(grantIds),
      path: t.field({
        type: ApprovalPath,
        required: true,
        defaultValue: 'ADMIN_CONSOLE',
        description: 'Where the customer approves.',
      }),
      expiresAt: t
        .field({
          type: 'DateTime',
          description:
            "The time at which access ends by itself. Default: as late as each site's policy allows.",
        })
        .validate(optionalDate),
      reason: t
        .string({ description: 'The reason, for the audit log: at most 2,000 characters.' })
        .validate(optionalText(2000)),
    }),
  },
  run: async ({ grantIds: ids, path, expiresAt, reason }, context, key) => {
    const terms = { path, expiresAt: expiresAt ?? null, reason: reason ?? null, expectedVersion: null };
    const each = ids.map((id) => ({ id, input: { grantId: id, ...terms } }));
    return payload(
      ids,
      await runCommandForEach(context, 'approveDataAccessInBulk', approveDataAccess, each, key),
    );
  },
});

addMutation({
  name: 'revokeDataAccessInBulk',
  type: BulkPayload,
  // Every other error is the result of one grant.
  errors: ['InvalidInput', 'Conflict'],
  description:
    'Revokes many grants, each in a transaction of its own: one that is refused does not affect the others.',
  input: {
    description: 'The grants to revoke.',
    fields: (t) => ({
      grantIds: t
        .idList({
          required: true,
          description: `The global ids of the grants, 1 to ${maxGrants}, each once.`,
        })
        .validate(grantIds),
      reason: t
        .string({ description: 'The reason, for the audit log: at most 2,000 characters.' })
        .validate(optionalText(2000)),
    }),
  },
  run: async ({ grantIds: ids, reason }, context, key) => {
    const input = { reason: reason ?? null, expectedVersion: null };
    const each = ids.map((id) => ({ id, input: { grantId: id, ...input } }));
    return payload(
      ids,
      await runCommandForEach(context, 'revokeDataAccessInBulk', revokeDataAccess, each, key),
    );
  },
});

function payload(ids: readonly string[], results: readonly ({ row: GrantRow } | { error: MutationError })[]) {
  return { results: results.map((result, index) => ({ grantId: ids[index] ?? '', ...result })) };
}
