/** Mutations on support sessions. */
import { endSupportSession, startSupportSession } from '../../commands/support-sessions.ts';
import { countryCode, globalId, text } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { grantFields, grantRef } from '../named-inputs.ts';
import { SupportSession, SupportSessionReason } from '../types/support-session.ts';

addCommand(startSupportSession, {
  type: SupportSession,
  description:
    "Starts a support session under an active grant, as the ticket's engineer. It ends by itself at the limits of the site's policy, and with the use of the grant.",
  input: {
    description: 'The grant to use, why, and from where.',
    fields: (t) => ({
      ...grantFields(t),
      reason: t.field({
        type: SupportSessionReason,
        required: true,
        description: 'Why the grant is used now.',
      }),
      note: t
        .string({
          required: true,
          description: 'What is to be done, for the customer to read: 1 to 2,000 characters.',
        })
        .validate(text(2000)),
      country: t
        .string({
          required: true,
          description: 'Where the engineer is: an ISO 3166-1 alpha-2 code, in capital letters.',
        })
        .validate(countryCode),
    }),
  },
  toInput: ({ reason, note, country, ...named }, viewer) => ({
    ...grantRef(named, viewer),
    ...{ reason, note, country },
  }),
});

addCommand(endSupportSession, {
  type: SupportSession,
  description:
    'Ends a support session, as its engineer. For a session that is over already, however it ended, it returns the session and changes nothing.',
  input: {
    description: 'The session.',
    fields: (t) => ({
      supportSessionId: t
        .id({ required: true, description: 'The session.' })
        .validate(globalId('SupportSession')),
    }),
  },
  toInput: ({ supportSessionId }) => ({ sessionId: supportSessionId }),
});
