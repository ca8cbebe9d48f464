/** Mutations on a change that an engineer asks the customer's consent to. */
import {
  consentToChange,
  recordChangeResult,
  refuseChange,
  revokeChangeConsent,
  withdrawChangeRequest,
} from '../../commands/decide-change-request.ts';
import { requestChange } from '../../commands/request-change.ts';
import { date, globalId, optionalText, optionalVersion, text, visibleKey } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import { ticketFields, ticketRef } from '../named-inputs.ts';
import { ChangeKind, ChangeRequest, ChangeResult } from '../types/change-request.ts';

addCommand(requestChange, {
  type: ChangeRequest,
  description:
    "Asks for the customer's consent to a change on a ticket, as its assigned engineer. At most 20 are open on a ticket.",
  input: {
    description: 'The change, why it is needed, and until when it may be made.',
    fields: (t) => ({
      ...ticketFields(t),
      kind: t.field({ type: ChangeKind, required: true, description: 'What it changes.' }),
      resourceType: t
        .string({
          required: true,
          description:
            "The type of what it changes, exactly as the product's backend calls it: at most 100 characters.",
        })
        .validate(visibleKey(100)),
      resourceId: t
        .string({
          required: true,
          description:
            "The id of what it changes, exactly as the product's backend calls it: at most 500 characters.",
        })
        .validate(visibleKey(500)),
      description: t
        .string({
          required: true,
          description: 'What is going to be changed, for the customer to read: at most 2,000 characters.',
        })
        .validate(text(2000)),
      justification: t
        .string({
          required: true,
          description: 'Why the change is needed, for the customer to read: at most 2,000 characters.',
        })
        .validate(text(2000)),
      validUntil: t
        .field({
          type: 'DateTime',
          required: true,
          description:
            'The time until which it may be consented to, and the change begun: at most 30 days from now.',
        })
        .validate(date),
    }),
  },
  toInput: ({ ticketId, ticketKey, externalId, integration, ...asked }, viewer) => ({
    ...ticketRef({ ticketId, ticketKey, externalId, integration }, viewer),
    ...asked,
  }),
});

for (const [command, description] of [
  [
    consentToChange,
    'Consents to a change for the customer. It may then be made, once, until its `validUntil`, in a session under an active grant.',
  ],
  [refuseChange, 'Refuses a change for the customer.'],
  [revokeChangeConsent, 'Takes a consent back at once, before the change was begun.'],
  [withdrawChangeRequest, 'Takes a change request back before the change was begun, as its engineer.'],
] as const) {
  addCommand(command, {
    type: ChangeRequest,
    description,
    input: {
      description: 'The change request and the reason.',
      fields: (t) => ({
        ...changeRequestAndVersion(t),
        reason: t
          .string({ description: 'The reason, for the audit log: at most 2,000 characters.' })
          .validate(optionalText(2000)),
      }),
    },
    toInput: ({ changeRequestId, reason, expectedVersion }) => ({
      changeRequestId,
      reason: reason ?? null,
      expectedVersion: expectedVersion ?? null,
    }),
  });
}

addCommand(recordChangeResult, {
  type: ChangeRequest,
  description:
    'Records what came of a change that was begun, as its engineer; also after its ticket was closed.',
  input: {
    description: 'The change request and what came of it.',
    fields: (t) => ({
      ...changeRequestAndVersion(t),
      result: t.field({ type: ChangeResult, required: true, description: 'What came of the change.' }),
      note: t
        .string({ description: 'More about the result, for the customer to read: at most 2,000 characters.' })
        .validate(optionalText(2000)),
    }),
  },
  toInput: ({ changeRequestId, result, note, expectedVersion }) => ({
    ...{ changeRequestId, result },
    note: note ?? null,
    expectedVersion: expectedVersion ?? null,
  }),
});

function changeRequestAndVersion(t: InputFields) {
  return {
    changeRequestId: t
      .id({ required: true, description: 'The change request.' })
      .validate(globalId('ChangeRequest')),
    expectedVersion: t
      .int({
        description:
          'The version of the change request that the caller has read. The mutation is refused with `VERSION_CONFLICT` if it is another one now.',
      })
      .validate(optionalVersion),
  };
}
