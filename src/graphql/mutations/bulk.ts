/** Mutations that decide on many grants, each with its own result. */
import { z } from 'zod';
import { approveDataAccess } from '../../commands/approve-data-access.ts';
import { approveGuardRequest, denyGuardRequest } from '../../commands/decide-guard-request.ts';
import { denyDataAccess } from '../../commands/deny-data-access.ts';
import { type RefusalKind, refusalKinds } from '../../commands/refusal.ts';
import { revokeDataAccess } from '../../commands/revoke-data-access.ts';
import type { GrantRow } from '../../grants/row.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { builder } from '../builder.ts';
import { invalidField, type MutationError } from '../errors.ts';
import { globalId, optionalDate, optionalText } from '../input.ts';
import { addMutation, type InputFields, resultUnion } from '../mutation.ts';
import { runCommandForEach } from '../run-command.ts';
import { ErrorInterface } from '../types/error.ts';
import { Grant } from '../types/grant.ts';
import { ApprovalPath, earlierEnd, type Why, whyAndVersion, whyOf } from './grants.ts';

/** The maximum number of grants in one bulk mutation. */
const maxGrants = 200;

/** What a bulk names: each grant once. */
function listOf<Named>(named: z.ZodType<Named>, grantOf: (one: Named) => string) {
  return z
    .array(named)
    .min(1, 'must name at least one grant.')
    .max(maxGrants, `must name at most ${maxGrants} grants.`)
    .refine((all) => new Set(all.map(grantOf)).size === all.length, 'must not name a grant twice.')
    .nullish();
}

type Item = { grantId: string } & ({ row: GrantRow } | { error: MutationError });

/**
 * The errors of one item: those of the commands, without invalid input, which is the result of the whole mutation.
 */
const errorsOfItems: readonly RefusalKind[] = [
  ...refusalKinds([...approveDataAccess.refusals, ...revokeDataAccess.refusals, 'SERVICE_UNAVAILABLE']),
].filter((kind) => kind !== 'InvalidInput');

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
      description: 'One item for each grant, in the order given.',
      resolve: ({ results }) => results,
    }),
  }),
});

const grantId = (t: InputFields) =>
  t.id({ required: true, description: 'The grant.' }).validate(globalId('Grant'));

const end = (t: InputFields) =>
  t
    .field({
      type: 'DateTime',
      description:
        'The time at which access ends by itself. Default: as late as what was approved before and the policy of the site allow; a later time is refused.',
    })
    .validate(optionalDate);

const BulkItemInput = builder.inputType('BulkItemInput', {
  description: 'One grant of a bulk mutation, and what is said of it alone.',
  fields: (t) => ({ grantId: grantId(t), ...whyAndVersion(t) }),
});

const BulkApprovalItemInput = builder.inputType('BulkApprovalItemInput', {
  description: 'One grant to approve in a bulk mutation, and what is said of it alone.',
  fields: (t) => ({ grantId: grantId(t), expiresAt: end(t), ...whyAndVersion(t) }),
});

const grantIds = (t: InputFields) =>
  t
    .idList({
      description: `The global ids of the grants, 1 to ${maxGrants}, each once. Exactly one of \`grantIds\` and \`items\`.`,
    })
    .validate(listOf(globalId('Grant'), (id) => id));

const aboutItems = `The grants, 1 to ${maxGrants}, each once, with what is said of each alone. It counts before what is said of all.`;
/** What a bulk is told of one grant. */
type OnGrant = Why & { grantId: string; expiresAt?: Date | null | undefined };

const eachOnce = listOf(z.custom<OnGrant>(), (item) => item.grantId);

const reasonOfAll = (t: InputFields) =>
  t
    .string({
      description:
        'The reason for all without one of their own, for the audit log: at most 2,000 characters.',
    })
    .validate(optionalText(2000));

type Named = Omit<OnGrant, 'grantId' | 'expectedVersion'> & {
  grantIds?: readonly string[] | null | undefined;
  items?: readonly OnGrant[] | null | undefined;
};

/** Each grant, with what is said of it alone or else of all. */
function itemsOf({ grantIds: ids, items, reason, expiresAt }: Named): OnGrant[] {
  if ((ids == null) === (items == null)) throw invalidField('input', 'must have either grantIds or items.');
  const named: readonly OnGrant[] = items ?? (ids ?? []).map((id) => ({ grantId: id }));
  return named.map((one) => ({
    ...one,
    reason: one.reason ?? reason,
    expiresAt: one.expiresAt ?? expiresAt,
  }));
}

const independent = 'One that is refused does not affect the others.';

/** Every other error is the result of one grant. */
const errorsOfAll = ['InvalidInput', 'Conflict'] as const;

addMutation({
  ...{ name: 'approveDataAccessInBulk', type: BulkPayload, errors: errorsOfAll, inBulk: true },
  description: `Approves many outstanding requests for the customer. ${independent}`,
  input: {
    description: 'The requests to approve.',
    fields: (t) => ({
      grantIds: grantIds(t),
      items: t.field({ type: [BulkApprovalItemInput], description: aboutItems }).validate(eachOnce),
      path: t.field({
        type: ApprovalPath,
        required: true,
        defaultValue: 'ADMIN_CONSOLE',
        description: 'Where the customer approves.',
      }),
      expiresAt: end(t),
      reason: reasonOfAll(t),
    }),
  },
  run: async ({ path, ...named }, context, key) => {
    const inputs = itemsOf(named).map(({ grantId: id, expiresAt, ...why }) => ({
      ...{ grantId: id, path, expiresAt: expiresAt ?? null },
      ...whyOf(why),
    }));
    return payload(
      inputs,
      await runCommandForEach(context, 'approveDataAccessInBulk', approveDataAccess, inputs, key),
    );
  },
});

addMutation({
  ...{ name: 'approveGuardRequestInBulk', type: BulkPayload, errors: errorsOfAll, inBulk: true },
  description: `Approves as a Guard admin many requests that the customer has approved. ${independent}`,
  input: {
    description: 'The requests to approve.',
    fields: (t) => ({
      grantIds: grantIds(t),
      items: t.field({ type: [BulkApprovalItemInput], description: aboutItems }).validate(eachOnce),
      expiresAt: end(t),
      reason: reasonOfAll(t),
    }),
  },
  run: async (named, context, key) => {
    const inputs = itemsOf(named).map(({ grantId: id, expiresAt, ...why }) => ({
      ...{ grantId: id, ...whyOf(why) },
      ...earlierEnd(expiresAt),
    }));
    return payload(
      inputs,
      await runCommandForEach(context, 'approveGuardRequestInBulk', approveGuardRequest, inputs, key),
    );
  },
});

for (const { name, command, does } of [
  {
    name: 'denyDataAccessInBulk',
    command: denyDataAccess,
    does: 'Denies many outstanding requests for the customer.',
  },
  {
    name: 'denyGuardRequestInBulk',
    command: denyGuardRequest,
    does: 'Denies as a Guard admin many requests that the customer has approved.',
  },
  { name: 'revokeDataAccessInBulk', command: revokeDataAccess, does: 'Revokes many grants.' },
] as const) {
  addMutation({
    ...{ name, type: BulkPayload, errors: errorsOfAll, inBulk: true },
    description: `${does} ${independent}`,
    input: {
      description: 'The grants, and why.',
      fields: (t) => ({
        grantIds: grantIds(t),
        items: t.field({ type: [BulkItemInput], description: aboutItems }).validate(eachOnce),
        reason: reasonOfAll(t),
      }),
    },
    run: async (named, context, key) => {
      const inputs = itemsOf(named).map(({ grantId: id, ...why }) => ({ grantId: id, ...whyOf(why) }));
      return payload(inputs, await runCommandForEach(context, name, command, inputs, key));
    },
  });
}

function payload(
  inputs: readonly { grantId: string }[],
  results: readonly ({ row: GrantRow } | { error: MutationError })[],
) {
  return { results: results.map((result, index) => ({ grantId: inputs[index]?.grantId ?? '', ...result })) };
}
