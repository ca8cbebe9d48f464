/** Applies an event again that waits or is kept, once what was in its way is gone. */
import type { Prisma } from '../../prisma/generated/client/client.ts';
import { relationsToInboundTicketEvent, seesInboundTicketEvent } from '../authorization/viewer-relations.ts';
import type { Command } from '../commands/command.ts';
import type { Dependencies } from '../commands/execute.ts';
import { invalidState, refusalsOfEveryCommand } from '../commands/refusal.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { apply, record } from './apply.ts';
import { beginAttempt, findEvent, type InboundTicketEvent } from './store.ts';

const withPlace = {
  integration: { select: { organizationId: true } },
  ticket: { select: { siteId: true, site: { select: { organizationId: true } } } },
} as const satisfies Prisma.InboundTicketEventInclude;

type EventWithPlace = Prisma.InboundTicketEventGetPayload<{ include: typeof withPlace }>;

/**
 * Begins another attempt to apply an event. The commands that apply it run in the name of the service account that sent
 * it, so nobody does more by this than the ticketing system was allowed to.
 */
export const replayInboundTicketEvent: Command<
  { inboundTicketEventId: string },
  EventWithPlace,
  InboundTicketEvent
> = {
  operation: 'replayInboundTicketEvent',
  action: 'inbound_ticket_event.replay',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', 'ALREADY_APPLIED'],
  resource: 'InboundTicketEvent',
  lock: async () => {},
  load: (tx, { inboundTicketEventId: id }) =>
    tx.inboundTicketEvent.findUnique({ where: { id }, include: withPlace, relationLoadStrategy: 'join' }),
  relations: (viewer, event) => relationsToInboundTicketEvent(viewer, event),
  isVisible: seesInboundTicketEvent,
  auditContext: ({ integration, ticket, ticketId }) =>
    ticket === null
      ? { organizationId: integration.organizationId }
      : { organizationId: ticket.site.organizationId, siteId: ticket.siteId, ticketId },
  auditResource: ({ id }) => ({ type: 'InboundTicketEvent', id }),
  decide: ({ integration: _integration, ticket: _ticket, ...event }) => {
    if (event.state === 'APPLIED') return { refused: invalidState('ALREADY_APPLIED') };
    const { webhookId, externalId, type, reason } = event;
    return {
      answer: { ...event, attempt: event.attempt + 1 },
      write: async (tx) => {
        if ((await beginAttempt(tx, event)) === null) throw new WriteConflictError();
      },
      entry: { details: { webhookId, externalId, type, reason } },
    };
  },
};

/** Carries out the attempt that was begun, and returns the event as it is afterwards; null: it is not kept any more. */
export async function applyAgain(
  dependencies: Dependencies,
  { id, attempt }: InboundTicketEvent,
): Promise<InboundTicketEvent | null> {
  const db = dependencies.database.prisma;
  const row = await findEvent(db, id);
  if (row === null || row.state === 'APPLIED' || row.attempt !== attempt) return row;
  await record(dependencies, await apply(dependencies, row));
  return await findEvent(db, id);
}
