/** Deciding on grants. */

import { z } from 'zod';
import { approveDataAccess } from '../../commands/approve-data-access.ts';
import { approveGuardRequest, denyGuardRequest } from '../../commands/decide-guard-request.ts';
import { denyDataAccess } from '../../commands/deny-data-access.ts';
import { releaseDataAccess } from '../../commands/release-data-access.ts';
import { requestDataAccess } from '../../commands/request-data-access.ts';
import { revokeDataAccess } from '../../commands/revoke-data-access.ts';
import { withdrawDataAccessRequest } from '../../commands/withdraw-data-access-request.ts';
import { builder } from '../builder.ts';
import { invalidField } from '../errors.ts';
import { globalId, line, optionalDate, optionalGlobalId, optionalText, optionalVersion } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import { Grant, GrantScopeKind } from '../types/grant.ts';

/** Where a customer approves after the ticket was created. */
export const ApprovalPath = builder.enumType('ApprovalPath', {
  description: 'Where the customer approves, once the ticket exists.',
  values: {
    SUPPORT_PORTAL: { description: "The ticket's sidebar." },
    ADMIN_CONSOLE: { description: "The site's support access settings." },
  } as const,
});

addCommand(requestDataAccess, {
  type: Grant,
  description: 'The assigned engineer asks for access on a ticket.',
  input: {
    description: 'Asks for access on an assigned ticket.',
    fields: (t) => ({
      ticketId: t.id({ required: true, description: 'The ticket.' }).validate(globalId('Ticket')),
      scope: t.field({
        type: GrantScopeKind,
        required: true,
        defaultValue: 'PRODUCT_DATA',
        description: 'What is asked for.',
      }),
      conversationIds: t
        .stringList({ description: 'For ROVO_CONVERSATIONS: the exact conversations, 1 to 100.' })
        .validate(z.array(line(200)).max(100, 'must name at most 100 conversations.').nullish()),
      justification: t
        .string({ description: 'Why access is needed, for the customer to read.' })
        .validate(optionalText(2000)),
    }),
  },
  toInput: ({ ticketId, scope, conversationIds, justification }) => {
    const named = [...new Set(conversationIds ?? [])];
    if (scope === 'PRODUCT_DATA' && named.length > 0) {
      throw invalidField('input.conversationIds', 'must be left out for PRODUCT_DATA.');
    }
    if (scope === 'ROVO_CONVERSATIONS' && named.length === 0) {
      throw invalidField('input.conversationIds', 'must name the conversations for ROVO_CONVERSATIONS.');
    }
    return { ticketId, scope, conversationIds: named, justification: justification ?? null };
  },
});

addCommand(approveDataAccess, {
  type: Grant,
  description: "The customer's yes, for oneself or on the reporter's behalf.",
  input: {
    description: 'Approves on a ticket, or exactly one request. Name the ticket or the grant, not both.',
    fields: (t) => ({
      ticketId: t
        .id({
          description:
            'Approves the outstanding request for product data; where there is none, opens and approves one.',
        })
        .validate(optionalGlobalId('Ticket')),
      grantId: t.id({ description: 'Approves exactly this request.' }).validate(optionalGlobalId('Grant')),
      path: t.field({
        type: ApprovalPath,
        required: true,
        defaultValue: 'SUPPORT_PORTAL',
        description: 'Where the customer approves.',
      }),
      expiresAt: t
        .field({
          type: 'DateTime',
          description: "When access ends by itself, if earlier than the site's policy says.",
        })
        .validate(optionalDate),
      ...whyAndVersion(t),
    }),
  },
  toInput: ({ ticketId, grantId, path, expiresAt, reason, expectedVersion }) => {
    if ((ticketId == null) === (grantId == null)) {
      throw invalidField('input', 'must name either ticketId or grantId.');
    }
    const target = grantId != null ? { grantId } : { ticketId: ticketId ?? '' };
    return {
      ...target,
      path,
      expiresAt: expiresAt ?? null,
      reason: reason ?? null,
      expectedVersion: expectedVersion ?? null,
    };
  },
});

for (const [command, description] of [
  [denyDataAccess, "The customer's no to an outstanding request."],
  [revokeDataAccess, 'Ends access at once, or takes back an approval that awaits the Guard.'],
  [approveGuardRequest, "The Guard admin's yes, in second place."],
  [denyGuardRequest, "The Guard admin's no, in second place."],
  [withdrawDataAccessRequest, 'The engineer takes back a request that is not decided yet.'],
  [releaseDataAccess, 'The engineer gives active access back before it ends by itself.'],
] as const) {
  addCommand(command, {
    type: Grant,
    description,
    input: {
      description: 'Which grant, and why.',
      fields: (t) => ({
        grantId: t.id({ required: true, description: 'The grant.' }).validate(globalId('Grant')),
        ...whyAndVersion(t),
      }),
    },
    toInput: ({ grantId, reason, expectedVersion }) => ({
      grantId,
      reason: reason ?? null,
      expectedVersion: expectedVersion ?? null,
    }),
  });
}

function whyAndVersion(t: InputFields) {
  return {
    reason: t.string({ description: 'Why, for the record.' }).validate(optionalText(2000)),
    expectedVersion: t
      .int({ description: 'The version of the grant that was decided on; refused if it has moved on.' })
      .validate(optionalVersion),
  };
}
