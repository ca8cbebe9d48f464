/** The commands on a change request: the customer's consent, and what its engineer does with it. */

import type { AuditAction } from '../audit/actions.ts';
import { actorOf } from '../audit/entry.ts';
import type { MutationName } from '../authorization/operations.ts';
import { relationsToTicket, seesGrants, seesTicket } from '../authorization/viewer-relations.ts';
import { endWithPlace } from '../changes/as-of.ts';
import type { ChangeRequest, ChangeResult } from '../changes/change-request.ts';
import { type ChangeCommand, type ChangeRequestRefusal, decide } from '../changes/lifecycle.ts';
import { type ChangeRequestRow, toChangeRequest, toRow } from '../changes/row.ts';
import type { Viewer } from '../identity/viewer.ts';
import { type EndOfPlace, endOfPlace } from '../organizations/unsettled.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicket } from '../tickets/locks.ts';
import type { TicketOnProduct } from '../tickets/store.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import { invalidState, refusalsOfEveryCommand, versionConflict } from './refusal.ts';
import { namesGrantors, refuseOnTicket } from './ticket-command.ts';

export type ChangeRequestInput = { changeRequestId: string; expectedVersion: number | null };
type WithReason = ChangeRequestInput & { reason: string | null };

export type ChangeRequestFacts = { ticket: TicketOnProduct; request: ChangeRequest };

/** Somebody who may grant on the ticket consents. Only then may the change be made, once, until its time runs out. */
export const consentToChange = changeRequestCommand<WithReason>({
  operation: 'consentToChange',
  action: 'change_request.consent',
  refusals: ['ALREADY_CONSENTED', 'CHANGE_IN_PROGRESS'],
  toCommand: ({ reason }, { id }) => ({ type: 'Consent', by: id, reason }),
});

export const refuseChange = changeRequestCommand<WithReason>({
  operation: 'refuseChange',
  action: 'change_request.refuse',
  refusals: ['ALREADY_CONSENTED', 'CHANGE_IN_PROGRESS'],
  toCommand: ({ reason }, { id }) => ({ type: 'Refuse', by: id, reason }),
});

/**
 * Takes a consent back before the change was begun: by any eligible grantor, the person who consented, the reporter, or a
 * Guard admin, as with a grant.
 */
export const revokeChangeConsent = changeRequestCommand<WithReason>({
  operation: 'revokeChangeConsent',
  action: 'change_request.revoke_consent',
  refusals: ['NOT_CONSENTED_YET', 'CHANGE_IN_PROGRESS'],
  toCommand: (_, { id }) => ({ type: 'RevokeConsent', by: id }),
});

/** The ticket's engineer takes it back before the change was begun. */
export const withdrawChangeRequest = changeRequestCommand<WithReason>({
  operation: 'withdrawChangeRequest',
  action: 'change_request.withdraw',
  refusals: ['CHANGE_IN_PROGRESS'],
  toCommand: (_, { id }) => ({ type: 'Withdraw', by: id }),
});

export type RecordChangeResultInput = ChangeRequestInput & { result: ChangeResult; note: string | null };

/** The ticket's engineer records what came of a change that was begun, whatever has ended since. */
export const recordChangeResult = changeRequestCommand<RecordChangeResultInput>({
  operation: 'recordChangeResult',
  action: 'change_request.complete',
  refusals: ['CHANGE_NOT_IN_PROGRESS'],
  toCommand: ({ result, note }, { id }) => ({ type: 'RecordResult', by: id, result, note }),
});

type ChangeRequestSpec<Input> = {
  operation: MutationName;
  action: AuditAction;
  /** The refusals of this command, without those that every command on a change request shares. */
  refusals: readonly ChangeRequestRefusal[];
  toCommand: (input: Input, by: Viewer) => ChangeCommand;
};

function changeRequestCommand<Input extends ChangeRequestInput & { reason?: string | null }>(
  spec: ChangeRequestSpec<Input>,
): Command<Input, ChangeRequestFacts, ChangeRequestRow> {
  const { operation } = spec;
  return {
    operation,
    action: spec.action,
    refusals: [
      ...refusalsOfEveryCommand,
      ...(['NOT_FOUND', 'VERSION_CONFLICT', 'CHANGE_REQUEST_OVER'] as const),
      ...(namesGrantors(operation) ? (['NOT_ELIGIBLE'] as const) : []),
      ...spec.refusals,
    ],
    resource: 'ChangeRequest',
    lock: lockTicket,
    load: (tx, { changeRequestId }) => findFacts(tx, changeRequestId),
    relations: (viewer, { ticket, request }) =>
      relationsToTicket(viewer, ticket, ticket, toRow(request).decidedById),
    isVisible: seesTicket,
    isAnswerVisible: seesGrants,
    refuse: (viewer, facts) => refuseOnTicket(operation, viewer, facts),
    auditContext: ({ request: { organizationId, siteId, ticketId } }) => ({
      ...{ organizationId, siteId, ticketId },
    }),
    auditResource: ({ request }) => ({ type: 'ChangeRequest', id: request.id }),
    decide: (facts, input, by) => change(facts, spec.toCommand(input, by.viewer), input, by),
  };
}

function change(
  { request: before, ticket }: ChangeRequestFacts,
  command: ChangeCommand,
  { expectedVersion, reason = null }: { expectedVersion: number | null; reason?: string | null },
  { viewer, now }: DecisionContext,
): Outcome<ChangeRequestRow> {
  if (expectedVersion !== null && expectedVersion !== before.version)
    return { refused: versionConflict(before.version) };
  const decision = decide(before, command, now);
  if ('refused' in decision) return { refused: invalidState(decision.refused) };
  if ('unchanged' in decision) throw new Error(`${command.type} left a change request unchanged`);
  const request = decision.changed;
  const by = { actor: actorOf(viewer), occurredAt: now, reason };
  return {
    answer: toRow(request),
    changeRequests: [{ before, request, command: command.type, ticket, ...by }],
  };
}

/** A change request with its ticket, product and site. One statement. */
async function findFacts(tx: Transaction, id: string): Promise<ChangeRequestFacts | null> {
  const found = await tx.changeRequest.findUnique({
    where: { id },
    include: { ticket: { include: { site: true, product: true } } },
    relationLoadStrategy: 'join',
  });
  if (found === null) return null;
  const { ticket, ...row } = found;
  return { ticket, request: settledWithPlace(toChangeRequest(row), endOfPlace(ticket)) };
}

/** One whose site or licence has ended is over, even before that is written. */
export function settledWithPlace(request: ChangeRequest, end: EndOfPlace | null): ChangeRequest {
  return end === null ? request : endWithPlace(request, end);
}
