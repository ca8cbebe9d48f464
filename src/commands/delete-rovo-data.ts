/** The commands that request, withdraw and record the deletion of what Rovo has stored about a customer. */
import type { AuditAction } from '../audit/actions.ts';
import type { MutationName } from '../authorization/operations.ts';
import { relationsToDeletion, seesDeletion } from '../authorization/viewer-relations.ts';
import { deletionCompletedMail, deletionRequestedMail } from '../notifications/kinds/rovo-data-deletion.ts';
import { findOrganization, findSite, type Organization } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import { type DeletionCommand, decide, requested } from '../rovo/deletion.ts';
import { lockDeletion, lockDeletionsOf } from '../rovo/locks.ts';
import {
  findDeletion,
  hasOpenDeletion,
  insertDeletion,
  type RovoDataDeletion,
  saveDeletion,
} from '../rovo/store.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import { platformCommand } from './platform-command.ts';
import { invalidInput, invalidState, refusalsOfEveryCommand, type StateRefusalCode } from './refusal.ts';

type RequestInput = {
  organizationId: string;
  /** Null: the whole organization. */
  siteId: string | null;
  reason: string | null;
};

type RequestFacts = { organization: Organization; id: string; siteFits: boolean; isOpen: boolean };

/** An organization admin requests it, of the organization or of one of its sites. One of each is open at a time. */
export const requestRovoDataDeletion = platformCommand<RequestInput, RequestFacts, RovoDataDeletion>({
  operation: 'requestRovoDataDeletion',
  action: 'rovo_data_deletion.request',
  refusals: ['DELETION_ALREADY_REQUESTED'],
  resource: 'Organization',
  lock: (tx, { organizationId }) => lockDeletionsOf(tx, organizationId),
  load: async (tx, { organizationId, siteId }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const site = siteId === null ? null : await findSite(tx, siteId);
    return {
      ...{
        organization,
        id: newId(now),
        siteFits: siteId === null || site?.organizationId === organizationId,
      },
      isOpen: await hasOpenDeletion(tx, organizationId, siteId),
    };
  },
  organizationId: ({ organization }) => organization.id,
  seesAnswer: (viewer, deletion) => seesDeletion(relationsToDeletion(viewer, deletion)),
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: ({ organization, id, siteFits, isOpen }, { siteId, reason }, { viewer, now }) => {
    if (!siteFits) return { refused: invalidInput('siteId', 'must be a site of the organization.') };
    if (isOpen) return { refused: invalidState('DELETION_ALREADY_REQUESTED') };
    const deletion: RovoDataDeletion = {
      ...{ id, organizationId: organization.id, siteId, reason },
      ...{ requestedById: viewer.id, requestedAt: now },
      ...requested,
    };
    return {
      answer: deletion,
      write: (tx) => insertDeletion(tx, deletion),
      entry: {
        ...subjectOf(deletion),
        details: { to: deletion.state, ...(reason === null ? {} : { reason }) },
      },
      mails: [{ kind: deletionRequestedMail, aboutId: id }],
    };
  },
});

type DeletionInput = { rovoDataDeletionId: string };

/** Takes the request back, as long as nothing is deleted. */
export const withdrawRovoDataDeletion = deletionCommand<DeletionInput>({
  operation: 'withdrawRovoDataDeletion',
  action: 'rovo_data_deletion.withdraw',
  refusals: ['DELETION_STARTED', 'DELETION_OVER'],
  commandOf: () => ({ type: 'Withdraw' }),
});

export type DeletionStep = 'STARTED' | 'COMPLETED' | 'FAILED';

type StepInput = DeletionInput & {
  step: DeletionStep;
  /** Why it failed. */
  reason: string | null;
};

/** The backend of Rovo records what it does. */
export const recordRovoDataDeletion = deletionCommand<StepInput>({
  operation: 'recordRovoDataDeletion',
  action: 'rovo_data_deletion.record',
  refusals: ['DELETION_NOT_STARTED', 'DELETION_STARTED', 'DELETION_OVER'],
  commandOf: ({ step, reason }) => {
    switch (step) {
      case 'STARTED':
        return { type: 'Start' };
      case 'COMPLETED':
        return { type: 'Complete' };
      case 'FAILED':
        return { type: 'Fail', reason };
    }
  },
});

type DeletionSpec<Input> = {
  operation: MutationName;
  action: AuditAction;
  refusals: readonly StateRefusalCode[];
  commandOf: (input: Input) => DeletionCommand;
};

function deletionCommand<Input extends DeletionInput>({
  commandOf,
  ...spec
}: DeletionSpec<Input>): Command<Input, { deletion: RovoDataDeletion }, RovoDataDeletion> {
  return {
    ...spec,
    refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', ...spec.refusals],
    resource: 'RovoDataDeletion',
    lock: (tx, { rovoDataDeletionId }) => lockDeletion(tx, rovoDataDeletionId),
    load: async (tx, { rovoDataDeletionId }) => {
      const deletion = await findDeletion(tx, rovoDataDeletionId);
      return deletion && { deletion };
    },
    relations: (viewer, { deletion }) => relationsToDeletion(viewer, deletion),
    isVisible: seesDeletion,
    seesAnswer: (viewer, deletion) => seesDeletion(relationsToDeletion(viewer, deletion)),
    auditContext: ({ deletion }) => subjectOf(deletion).auditContext,
    auditResource: ({ deletion }) => subjectOf(deletion).auditResource,
    decide: ({ deletion }, input, by) => changeDeletion(deletion, commandOf(input), by),
  };
}

function changeDeletion(
  before: RovoDataDeletion,
  command: DeletionCommand,
  { now }: DecisionContext,
): Outcome<RovoDataDeletion> {
  const decision = decide(before, command, now);
  if ('refused' in decision) return { refused: invalidState(decision.refused) };
  const deletion = { ...before, ...decision.deletion };
  const { failureReason } = deletion;
  return {
    answer: deletion,
    write: (tx) => saveDeletion(tx, deletion),
    entry: {
      details: {
        ...{ from: before.state, to: deletion.state },
        ...(failureReason === null ? {} : { reason: failureReason }),
      },
    },
    mails: command.type === 'Complete' ? [{ kind: deletionCompletedMail, aboutId: deletion.id }] : [],
  };
}

function subjectOf({ id, organizationId, siteId }: RovoDataDeletion) {
  return {
    auditResource: { type: 'RovoDataDeletion', id },
    auditContext: { organizationId, siteId },
  };
}
