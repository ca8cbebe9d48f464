/** Deciding on many grants at once, each with its own result. */
import { brandWithType } from '@pothos/core';
import { z } from 'zod';
import { approveDataAccess } from '../../commands/approve-data-access.ts';
import { revokeDataAccess } from '../../commands/revoke-data-access.ts';
import type { GrantRow } from '../../grants/row.ts';
import { builder } from '../builder.ts';
import type { MutationError } from '../errors.ts';
import { encodeGlobalId } from '../global-id.ts';
import { globalId, optionalDate, optionalText } from '../input.ts';
import { addMutation } from '../mutation.ts';
import { runCommandForEach } from '../run-command.ts';
import { ErrorInterface } from '../types/error.ts';
import { Grant } from '../types/grant.ts';
import { ApprovalPath } from './grants.ts';

/** How many grants one bulk mutation takes. */
const maxGrants = 200;

const grantIds = z
  .array(globalId('Grant'))
  .min(1, 'must name at least one grant.')
  .max(maxGrants, `must name at most ${maxGrants} grants.`)
  .refine((ids) => new Set(ids).size === ids.length, 'must not name a grant twice.');

type Result = { grantId: string } & ({ row: GrantRow } | { error: MutationError });

const BulkResult = builder.objectRef<Result>('BulkResult').implement({
  description: 'What became of one grant of many: the grant, or why it was not carried out.',
  fields: (t) => ({
    grantId: t.id({
      description: 'The global id that was given.',
      resolve: ({ grantId }) => encodeGlobalId('Grant', grantId),
    }),
    grant: t.field({
      type: Grant,
      nullable: true,
      description: 'The grant afterwards; null with an error.',
      resolve: (result) => ('row' in result ? result.row : null),
    }),
    error: t.field({
      type: ErrorInterface,
      nullable: true,
      description: 'Why it was not carried out; null with a grant.',
      resolve: (result) => ('error' in result ? told(result.error) : null),
    }),
  }),
});

const BulkPayload = builder.objectRef<{ results: Result[] }>('BulkPayload').implement({
  description: 'What became of each grant, in the order given.',
  fields: (t) => ({
    results: t.field({
      type: [BulkResult],
      description: 'One for each grant.',
      resolve: ({ results }) => results,
    }),
  }),
});

addMutation({
  name: 'approveDataAccessInBulk',
  type: BulkPayload,
  description:
    'Approves many outstanding requests, each on its own: one that fails does not touch the others.',
  input: {
    description: 'Which requests to approve.',
    fields: (t) => ({
      grantIds: t
        .idList({ required: true, description: `The requests, 1 to ${maxGrants}.` })
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
          description: "When access ends by itself, if earlier than the sites' policies say.",
        })
        .validate(optionalDate),
      reason: t.string({ description: 'Why, for the record.' }).validate(optionalText(2000)),
    }),
  },
  carryOut: async ({ grantIds: ids, path, expiresAt, reason }, context, key) => {
    const terms = { path, expiresAt: expiresAt ?? null, reason: reason ?? null, expectedVersion: null };
    const each = ids.map((grantId) => ({ grantId, ...terms }));
    return payload(ids, await runCommandForEach(context, approveDataAccess, each, keyFor(key)));
  },
});

addMutation({
  name: 'revokeDataAccessInBulk',
  type: BulkPayload,
  description: 'Ends many grants at once, each on its own: one that fails does not touch the others.',
  input: {
    description: 'Which grants to end.',
    fields: (t) => ({
      grantIds: t
        .idList({ required: true, description: `The grants, 1 to ${maxGrants}.` })
        .validate(grantIds),
      reason: t.string({ description: 'Why, for the record.' }).validate(optionalText(2000)),
    }),
  },
  carryOut: async ({ grantIds: ids, reason }, context, key) => {
    const each = ids.map((grantId) => ({ grantId, reason: reason ?? null, expectedVersion: null }));
    return payload(ids, await runCommandForEach(context, revokeDataAccess, each, keyFor(key)));
  },
});

/** The error as a value: a resolver that answers an `Error` is taken to have thrown it. */
function told(error: MutationError): MutationError {
  const value = { ...error, message: error.message };
  brandWithType(value, error.constructor.name as never);
  return value;
}

function payload(ids: readonly string[], results: readonly ({ row: GrantRow } | { error: MutationError })[]) {
  return { results: results.map((result, index) => ({ grantId: ids[index] ?? '', ...result })) };
}

/** Each of many has a key of its own under the one given, so that a repetition finds what each came to. */
function keyFor(
  key: string | null | undefined,
): (input: { grantId: string } | { ticketId: string }) => string | null {
  return (input) => (key == null || !('grantId' in input) ? null : `${key}#${input.grantId}`);
}
