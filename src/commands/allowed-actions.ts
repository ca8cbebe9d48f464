/**
 * Which actions a viewer may take on a grant, a ticket, a change request, a proposed change or a deletion now, and why not
 * the others.
 *
 * The answers come from `decideCommand`, which decides the commands themselves. Each command is decided with its
 * simplest input: no reason, no earlier end, no expected version. So an input can still be refused for what
 * is in it, and somebody else may be faster. Pure: facts in, answers out.
 */
import type { MutationName } from '../authorization/operations.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { RovoDataDeletion } from '../rovo/store.ts';
import { approveDataAccess } from './approve-data-access.ts';
import {
  deleteAuditStream,
  pauseAuditStream,
  replayAuditStream,
  resumeAuditStream,
  rotateAuditStreamSecret,
  type StreamFacts,
  testAuditStream,
  updateAuditStream,
} from './audit-streams.ts';
import { assignTicket, closeTicket, reopenTicket, updateTicketStatus } from './change-ticket.ts';
import type { Command } from './command.ts';
import {
  type ChangeRequestFacts,
  consentToChange,
  recordChangeResult,
  refuseChange,
  revokeChangeConsent,
  withdrawChangeRequest,
} from './decide-change-request.ts';
import { decideCommand } from './decide-command.ts';
import { approveGuardRequest, denyGuardRequest } from './decide-guard-request.ts';
import {
  confirmProposedChange,
  declineProposedChange,
  type ProposedChangeFacts,
  withdrawProposedChange,
} from './decide-proposed-change.ts';
import { recordRovoDataDeletion, withdrawRovoDataDeletion } from './delete-rovo-data.ts';
import { denyDataAccess } from './deny-data-access.ts';
import type { Refusal } from './refusal.ts';
import { releaseDataAccess } from './release-data-access.ts';
import { requestChange } from './request-change.ts';
import { requestDataAccess } from './request-data-access.ts';
import { revokeDataAccess } from './revoke-data-access.ts';
import type { GrantFacts, TicketFacts } from './ticket-facts.ts';
import { updateTicket } from './update-ticket.ts';
import { withdrawDataAccessRequest } from './withdraw-data-access-request.ts';

/** One action and, where the viewer may not take it now, the refusal that its mutation would return. */
export type AllowedAction = { action: MutationName; refusal: Refusal | null };

type Question = { viewer: Viewer; now: Date };
type Ask<Facts> = (facts: Facts, question: Question) => AllowedAction;

/** Every action on the ticket. The facts name no grant. */
export function allowedTicketActions(facts: TicketFacts, question: Question): AllowedAction[] {
  return askEach(ticketActions(facts.ticket.id, question.now), { ...facts, grant: null }, question);
}

/** Every action on the grant that the facts name. */
export function allowedGrantActions(facts: GrantFacts, question: Question): AllowedAction[] {
  return askEach(grantActions(facts.grant.id), facts, question);
}

/** Every action on the change request. */
export function allowedChangeRequestActions(facts: ChangeRequestFacts, question: Question): AllowedAction[] {
  const input = { changeRequestId: facts.request.id, ...decision };
  return askEach(
    [
      ...[consentToChange, refuseChange, revokeChangeConsent, withdrawChangeRequest].map((command) =>
        about(command, input),
      ),
      about(recordChangeResult, { ...input, result: 'APPLIED', note: null }),
    ],
    facts,
    question,
  );
}

/** Every action on the proposed change. */
export function allowedProposedChangeActions(
  facts: ProposedChangeFacts,
  question: Question,
): AllowedAction[] {
  const input = { proposedChangeId: facts.change.id };
  const asks = [confirmProposedChange, declineProposedChange, withdrawProposedChange].map((command) =>
    about(command, input),
  );
  return askEach(asks, facts, question);
}

/** Every action on the deletion of Rovo's data. */
export function allowedDeletionActions(deletion: RovoDataDeletion, question: Question): AllowedAction[] {
  const input = { rovoDataDeletionId: deletion.id };
  const asks = [
    about(withdrawRovoDataDeletion, input),
    about(recordRovoDataDeletion, { ...input, step: 'STARTED', reason: null }),
  ];
  return askEach(asks, { deletion }, question);
}

/** Every action on the stream of an audit log, but what it is replayed from, and what is changed of it. */
export function allowedStreamActions(
  { stream, hasGuard }: Pick<StreamFacts, 'stream' | 'hasGuard'>,
  question: Question,
): AllowedAction[] {
  const input = { auditStreamId: stream.id };
  const asks = [
    about(updateAuditStream, input),
    about(rotateAuditStreamSecret, input),
    about(pauseAuditStream, input),
    about(resumeAuditStream, input),
    about(replayAuditStream, { ...input, after: 0 }),
    about(testAuditStream, input),
    about(deleteAuditStream, input),
  ];
  // From the beginning it can be replayed however long the log is; and nothing is decided on a secret.
  return askEach(asks, { stream, hasGuard, length: 0, secretId: '', secret: '' }, question);
}

const decision = { reason: null, expectedVersion: null } as const;
const approval = { ...decision, path: 'SUPPORT_PORTAL', expiresAt: null } as const;

/** Any change, which may be made for a moment. */
const anyChange = {
  kind: 'SETTINGS',
  ...{ resourceType: 'any', resourceId: 'any', description: 'any', justification: 'any' },
} as const;

function ticketActions(ticketId: string, now: Date): Ask<TicketFacts>[] {
  return [
    about(requestDataAccess, { ticketId, scope: 'PRODUCT_DATA', conversationIds: [], justification: null }),
    about(approveDataAccess, { ...approval, ticketId }),
    about(assignTicket, { ticketId, engineerId: null }),
    about(updateTicketStatus, { ticketId, status: 'OPEN' }),
    about(updateTicket, { ticketId, summary: 'any' }),
    about(closeTicket, { ticketId }),
    about(reopenTicket, { ticketId }),
    about(requestChange, { ...anyChange, ticketId, validUntil: new Date(now.getTime() + 1) }),
  ];
}

function grantActions(grantId: string): Ask<TicketFacts>[] {
  return [
    about(approveDataAccess, { ...approval, grantId }),
    about(denyDataAccess, { ...decision, grantId }),
    about(approveGuardRequest, { ...decision, grantId }),
    about(denyGuardRequest, { ...decision, grantId }),
    about(revokeDataAccess, { ...decision, grantId }),
    about(withdrawDataAccessRequest, { ...decision, grantId }),
    about(releaseDataAccess, { ...decision, grantId }),
  ];
}

function about<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  input: Input,
): Ask<Facts> {
  return (facts, question) => {
    const { outcome } = decideCommand(command, facts, input, question);
    return { action: command.operation, refusal: 'refused' in outcome ? outcome.refused : null };
  };
}

function askEach<Facts>(asks: readonly Ask<Facts>[], facts: Facts, question: Question): AllowedAction[] {
  return asks.map((ask) => ask(facts, question));
}
