import type { ObjectRef } from '@pothos/core';
import { isProposedChange } from '../../commands/propose.ts';
import type { ProposedChange as ProposedChangeRow } from '../../proposals/store.ts';
import type { Success, Types } from '../mutation.ts';
import { ProposedChange } from '../types/proposed-change.ts';

/** What a mutation returns that may propose its change instead of making it: the row, or the proposed change. */
export function orProposed<Row extends object>(
  type: ObjectRef<Types, Row>,
): Success<Row | ProposedChangeRow> {
  return {
    types: [type, ProposedChange] as readonly ObjectRef<Types, object>[] as never,
    typeNameOf: (row) => (isProposedChange(row) ? ProposedChange.name : type.name),
  };
}
