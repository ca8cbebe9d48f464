import type { RelayedConsentOutcome as Outcome } from '../../../prisma/generated/client/enums.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import { ServiceAccount } from './account.ts';

const messages = {
  COUNTED: "The consent counted as the reporter's approval.",
  AWAITS_CONFIRMATION:
    'The site does not count a relayed consent: the reporter, or somebody else who may grant, must approve the request themselves.',
  REPORTER_NOT_ELIGIBLE:
    "The reporter's role does not allow them to grant: somebody who may grant must approve the request.",
  NO_REQUEST:
    'There was no request to approve: the site was deactivated, or the product was not licensed on it.',
} as const satisfies Record<Outcome, string>;

const RelayedConsentOutcome = builder.enumType('RelayedConsentOutcome', {
  description: 'What came of a consent that a ticketing system relayed.',
  values: enumValues(messages),
});

export const RelayedConsent = builder.prismaObject('Ticket', {
  variant: 'RelayedConsent',
  description:
    "The reporter's consent to data access, as the ticketing system relayed it when it filed the ticket: the consent box was ticked.",
  fields: (t) => ({
    outcome: t.field({
      type: RelayedConsentOutcome,
      viewerIndependent: true,
      description: 'What came of it then, for programs.',
      resolve: (ticket) => outcomeOf(ticket),
    }),
    message: t.string({
      viewerIndependent: true,
      description: 'What came of it then, for people.',
      resolve: (ticket) => messages[outcomeOf(ticket)],
    }),
    relayedBy: t.field({
      type: ServiceAccount,
      viewerIndependent: true,
      description: 'The service account that relayed it.',
      select: { consentRelayedBy: true },
      resolve: ({ consentRelayedBy }) => given(consentRelayedBy),
    }),
  }),
});

const outcomeOf = ({ relayedConsent }: { relayedConsent: Outcome | null }): Outcome => given(relayedConsent);

/** A CHECK constraint has both columns, or neither; `Ticket.relayedConsent` is null where they are. */
function given<Value>(value: Value | null): Value {
  if (value === null) throw new Error('A ticket has no relayed consent');
  return value;
}
