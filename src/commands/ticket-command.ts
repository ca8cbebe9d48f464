/** What all commands on a ticket or one of its grants share: locks, facts, relations, time limits. */
import type { AuditAction } from '../audit/actions.ts';
import { type MutationName, may } from '../authorization/operations.ts';
import { relationsToTicket, seesGrants, seesTicket } from '../authorization/viewer-relations.ts';
import type { TicketOfEvent } from '../events/kinds/grant.ts';
import type { Grant } from '../grants/grant.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import { type GrantRow, toRow } from '../grants/row.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Transaction } from '../platform/database.ts';
import { eligibility } from '../roles/eligibility.ts';
import { lockTicket } from '../tickets/locks.ts';
import type { TicketOnProduct } from '../tickets/store.ts';
import { applyTimeLimits, changeGrant, type GrantSubject } from './change-grant.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import {
  forbidden,
  notEligible,
  notFound,
  type Refusal,
  type RefusalCode,
  refusalsOfEveryCommand,
  type StateRefusalCode,
  versionConflict,
} from './refusal.ts';
import { endOf, findTicketFacts, type GrantRef, type TicketFacts, type TicketInput } from './ticket-facts.ts';

type TicketSpec<Input, Row extends object, Extra extends object> = {
  operation: MutationName;
  action: AuditAction;
  /** What its input names. Default: a grant for an action on one, otherwise the ticket. */
  resource?: 'Grant';
  /** The refusals of this command, without those that every command on a ticket shares. */
  refusals: readonly RefusalCode[];
  /** Takes locks that come before those on the ticket and its site. */
  lockBefore?: (tx: Transaction, input: Input) => Promise<void>;
  /** Loads facts other than the ticket and its grants. */
  extra?: (tx: Transaction, input: Input, ticket: TicketOnProduct, grant: Grant | null) => Promise<Extra>;
  exceeded?: Command<Input, TicketFacts, Row>['exceeded'];
  decide: (facts: TicketFacts & Partial<Extra>, input: Input, by: DecisionContext) => Outcome<Row>;
};

export function ticketCommand<Input extends TicketInput, Row extends object, Extra extends object = object>(
  spec: TicketSpec<Input, Row, Extra>,
): Command<Input, TicketFacts & Partial<Extra>, Row> {
  const load = async (tx: Transaction, input: Input) => {
    const facts = await findTicketFacts(tx, input);
    if (facts === null) return null;
    const extra: Partial<Extra> = (await spec.extra?.(tx, input, facts.ticket, facts.grant)) ?? {};
    return { ...extra, ...facts };
  };
  return {
    operation: spec.operation,
    action: spec.action,
    refusals: [
      ...refusalsOfEveryCommand,
      'NOT_FOUND',
      ...(namesGrantors(spec.operation) ? (['NOT_ELIGIBLE'] as const) : []),
      ...spec.refusals,
    ],
    resource: spec.resource ?? (answersGrant(spec.action) ? 'Grant' : 'Ticket'),
    lock: async (tx, input) => {
      if (spec.lockBefore !== undefined) await spec.lockBefore(tx, input);
      await lockTicket(tx, input);
    },
    load,
    loadAtOnce: spec.lockBefore === undefined ? load : undefined,
    relations: (viewer, { ticket, grant }) => relationsToTicket(viewer, ticket, ticket, approverOf(grant)),
    isVisible: seesTicket,
    isAnswerVisible: spec.resource === 'Grant' || answersGrant(spec.action) ? seesGrants : seesTicket,
    refuse: (viewer, facts) => refuseOnTicket(spec.operation, viewer, facts),
    auditContext: ({ ticket, grant }) => ({
      organizationId: ticket.site.organizationId,
      siteId: ticket.siteId,
      ticketId: ticket.id,
      grantId: grant?.id ?? null,
    }),
    auditResource: ({ ticket, grant }) =>
      grant === null ? { type: 'Ticket', id: ticket.id } : { type: 'Grant', id: grant.id },
    applyTimeLimits: applyTicketTimeLimits,
    exceeded: spec.exceeded,
    decide: spec.decide,
  };
}

/** Ends the grants of the ticket whose time has run out by `now`, and those that ended with its site or licence. */
export function applyTicketTimeLimits<Facts extends TicketFacts>(
  facts: Facts,
  now: Date,
): { facts: Facts; changes: DecidedGrantChange[] } {
  const { grants, changes } = applyTimeLimits(facts.grants, grantSubjectOf(facts.ticket), now, endOf(facts));
  return {
    facts: { ...facts, grants, grant: grants.find(({ id }) => id === facts.grant?.id) ?? null },
    changes,
  };
}

/** Who gave the customer's approval of the grant. */
export function approverOf(grant: Grant | null): string | null {
  return grant !== null && 'path' in grant ? grant.customerApprovedById : null;
}

export type GrantInput = GrantRef & { expectedVersion: number | null; reason: string | null };

/** A command on one existing grant. `toGrantCommand` returns the lifecycle command to run. */
export function grantCommand<Input extends GrantInput = GrantInput>(
  operation: MutationName,
  action: Extract<AuditAction, `grant.${string}`>,
  refusals: readonly StateRefusalCode[],
  toGrantCommand: (facts: TicketFacts, by: DecisionContext, input: Input) => GrantCommand,
): Command<Input, TicketFacts, GrantRow> {
  return ticketCommand<Input, GrantRow>({
    operation,
    action,
    refusals: ['VERSION_CONFLICT', 'ALREADY_OVER', ...refusals],
    decide: (facts, input, by) => {
      const { grant, ticket } = facts;
      const { expectedVersion, reason } = input;
      if (grant === null) return { refused: notFound('Grant') };
      if (expectedVersion !== null && expectedVersion !== grant.version) {
        return { refused: versionConflict(grant.version) };
      }
      const decided = changeGrant(grant, toGrantCommand(facts, by, input), {
        ...grantSubjectOf(ticket),
        by,
        action,
        reason,
      });
      return 'refused' in decided ? decided : { answer: toRow(decided.grant), grants: decided.changes };
    },
  });
}

/** The organization and ticket of the ticket's grants. */
export function grantSubjectOf(ticket: TicketOfEvent & Pick<TicketOnProduct, 'site'>): GrantSubject {
  return { organizationId: ticket.site.organizationId, ticketOf: () => ticket };
}

function answersGrant(action: AuditAction): boolean {
  return action.startsWith('grant.');
}

/** Whether the people who may grant for the ticket's product may run the operation. */
export function namesGrantors(operation: MutationName): boolean {
  return may(operation, new Set(['GRANTOR']));
}

/** Returns the obstacles if a user could run the operation as a grantor; otherwise a plain `FORBIDDEN`. */
export function refuseOnTicket(
  operation: MutationName,
  viewer: Viewer,
  { ticket }: Pick<TicketFacts, 'ticket'>,
): Refusal {
  if (viewer.kind === 'USER' && namesGrantors(operation)) {
    const isMember = viewer.organizationIds.includes(ticket.site.organizationId);
    const verdict = eligibility({ isMember, assignments: viewer.assignments }, ticket);
    if (!verdict.allowed) {
      return notEligible(ticket.id, verdict.obstacles);
    }
  }
  return forbidden('Your relation to this ticket does not allow this.');
}
