/** The mutation that applies an event of a ticketing system again. */
import { notFound, refusalKinds } from '../../commands/refusal.ts';
import { applyAgain, replayInboundTicketEvent } from '../../webhooks/replay.ts';
import { toApiError } from '../errors.ts';
import { globalId } from '../input.ts';
import { addMutation } from '../mutation.ts';
import { runCommand } from '../run-command.ts';
import { InboundTicketEvent } from '../types/inbound-ticket-event.ts';

addMutation({
  name: replayInboundTicketEvent.operation,
  type: InboundTicketEvent,
  description:
    'Applies an event of a ticketing system again that waits or is kept, in the name of the service account that sent it. The `state` of the result says what came of it.',
  errors: [...refusalKinds(replayInboundTicketEvent.refusals)],
  input: {
    description: 'The event to apply again.',
    fields: (t) => ({
      inboundTicketEventId: t
        .id({ required: true, description: 'The event.' })
        .validate(globalId('InboundTicketEvent')),
    }),
  },
  run: async (input, context, key) => {
    const begun = await runCommand(context, replayInboundTicketEvent, input, key);
    const event = await applyAgain(context.services, begun);
    if (event === null) throw toApiError(notFound('InboundTicketEvent'));
    return event;
  },
});
