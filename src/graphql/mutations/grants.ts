/** Mutations on one grant. */

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
import { optionalDate, optionalGlobalId, optionalText, optionalVersion, visibleKey } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import { grantFields, grantRef, ticketFields, ticketRef } from '../named-inputs.ts';
import { Grant, GrantScopeKind } from '../types/grant.ts';

/** Where a customer approves after the ticket was created. */
export const ApprovalPath = builder.enumType('ApprovalPath', {
  description: 'Where the customer approves a request after the ticket was filed.',
  values: {
    SUPPORT_PORTAL: { description: "The ticket's sidebar." },
    ADMIN_CONSOLE: { description: "The site's support access settings." },
  } as const,
});

addCommand(requestDataAccess, {
  type: Grant,
  description: 'Requests access to data on a ticket, as its assigned engineer.',
  input: {
    description: 'The ticket and the data to request access to.',
    fields: (t) => ({
      ...ticketFields(t),
      scope: t.field({
        type: GrantScopeKind,
        required: true,
        defaultValue: 'PRODUCT_DATA',
        description: 'The kind of data to request access to.',
      }),
      conversationIds: t
        .stringList({
          description:
            'The ids of the Rovo conversations, 1 to 100. Required for `ROVO_CONVERSATIONS`; must be left out for `PRODUCT_DATA`.',
        })
        .validate(z.array(visibleKey(200)).max(100, 'must name at most 100 conversations.').nullish()),
      justification: t
        .string({ description: 'Why access is needed, for the customer to read: at most 2,000 characters.' })
        .validate(optionalText(2000)),
    }),
  },
  toInput: ({ scope, conversationIds, justification, ...named }, viewer) => {
    const ticket = ticketRef(named, viewer);
    const conversations = [...new Set(conversationIds ?? [])];
    if (scope === 'PRODUCT_DATA' && conversations.length > 0) {
      throw invalidField('input.conversationIds', 'must be left out for PRODUCT_DATA.');
    }
    if (scope === 'ROVO_CONVERSATIONS' && conversations.length === 0) {
      throw invalidField('input.conversationIds', 'must name the conversations for ROVO_CONVERSATIONS.');
    }
    return { ...ticket, scope, conversationIds: conversations, justification: justification ?? null };
  },
});

addCommand(approveDataAccess, {
  type: Grant,
  description:
    'Approves access for the customer: a request, or on a ticket without an outstanding request, one that is opened with it. On a restricted site, a Guard admin decides next.',
  input: {
    description:
      'What to approve: the ticket whose outstanding request for product data is approved, or the grant; exactly one of them. Where a ticket has no outstanding request, one is opened and approved.',
    fields: (t) => ({
      ...ticketFields(t),
      grantId: t
        .id({ description: 'The request to approve, instead of the ticket.' })
        .validate(optionalGlobalId('Grant')),
      path: t.field({
        type: ApprovalPath,
        required: true,
        defaultValue: 'SUPPORT_PORTAL',
        description: 'Where the customer approves.',
      }),
      expiresAt: t
        .field({
          type: 'DateTime',
          description:
            "The time at which access ends by itself. Default: as late as the site's policy allows; a later time is refused.",
        })
        .validate(optionalDate),
      ...whyAndVersion(t),
    }),
  },
  toInput: ({ grantId, path, expiresAt, reason, expectedVersion, ...named }, viewer) => {
    const namesTicket = Object.values(named).some((name) => name != null);
    if (namesTicket === (grantId != null)) {
      throw invalidField('input', 'must name exactly one of ticketId, ticketKey, externalId and grantId.');
    }
    return {
      ...(grantId != null ? { grantId } : ticketRef(named, viewer)),
      path,
      expiresAt: expiresAt ?? null,
      reason: reason ?? null,
      expectedVersion: expectedVersion ?? null,
    };
  },
});

addCommand(approveGuardRequest, {
  type: Grant,
  description:
    'Approves as a Guard admin what the customer has approved. The engineer receives access. If the person who approved may no longer grant, that approval lapses instead, and the customer decides again.',
  input: {
    description: 'The grant, its end and the reason.',
    fields: (t) => ({
      ...grantFields(t),
      expiresAt: t
        .field({
          type: 'DateTime',
          description:
            'An earlier time at which access ends by itself. Default: the time that the customer approved; a later one is refused.',
        })
        .validate(optionalDate),
      ...whyAndVersion(t),
    }),
  },
  toInput: ({ reason, expectedVersion, expiresAt, ...named }, viewer) => ({
    ...grantRef(named, viewer),
    ...whyOf({ reason, expectedVersion }),
    ...earlierEnd(expiresAt),
  }),
});

for (const [command, description] of [
  [denyDataAccess, 'Denies an outstanding request for the customer.'],
  [revokeDataAccess, "Ends access at once, or takes an approval back before the Guard admin's decision."],
  [denyGuardRequest, 'Denies as a Guard admin what the customer has approved.'],
  [withdrawDataAccessRequest, 'Takes back a request that is not decided yet, as its engineer.'],
  [releaseDataAccess, 'Gives active access back before it ends by itself, as its engineer.'],
] as const) {
  addCommand(command, {
    type: Grant,
    description,
    input: {
      description: 'The grant and the reason.',
      fields: (t) => ({
        ...grantFields(t),
        ...whyAndVersion(t),
      }),
    },
    toInput: ({ reason, expectedVersion, ...named }, viewer) => ({
      ...grantRef(named, viewer),
      ...whyOf({ reason, expectedVersion }),
    }),
  });
}

/** Why, and of which version: what a mutation is told besides the grant. */
export type Why = { reason?: string | null | undefined; expectedVersion?: number | null | undefined };

export function whyOf({ reason, expectedVersion }: Why) {
  return { reason: reason ?? null, expectedVersion: expectedVersion ?? null };
}

/** The end that a Guard admin brings forward, if they do. */
export function earlierEnd(expiresAt: Date | null | undefined): { expiresAt?: Date } {
  return expiresAt == null ? {} : { expiresAt };
}

export function whyAndVersion(t: InputFields) {
  return {
    reason: t
      .string({ description: 'The reason, for the audit log: at most 2,000 characters.' })
      .validate(optionalText(2000)),
    expectedVersion: t
      .int({
        description:
          'The version of the grant that the caller has read. The mutation is refused with `VERSION_CONFLICT` if it is another one now.',
      })
      .validate(optionalVersion),
  };
}
