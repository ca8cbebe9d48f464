/** Mutations that change the settings of a site, deactivate it and reactivate it. */
import {
  deactivateSite,
  reactivateSite,
  setSupportAccessPolicy,
  setSupportAccessRestrictions,
} from '../../commands/change-site.ts';
import { globalId, seconds } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Site } from '../types/site.ts';
import { orProposed } from './or-proposed.ts';

addCommand(setSupportAccessRestrictions, {
  type: orProposed(Site),
  description:
    "Switches the Guard admin's approval on or off. Requests that were opened while it was on still need it. Switching it off takes two people, so the result is a proposed change.",
  input: {
    description: 'The site and whether its support access is restricted.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      restricted: t.boolean({
        required: true,
        description: 'Whether a Guard admin decides after the customer.',
      }),
    }),
  },
  toInput: (input) => input,
});

addCommand(setSupportAccessPolicy, {
  type: orProposed(Site),
  description:
    "Sets a site's policy: time limits, the two-person rule, and whether a relayed consent counts. Requests that were opened before keep the former rules where those are tighter; a shorter wait brings their deadlines forward, to the present at the earliest. On a restricted site, loosening any of them takes two people: the result is a proposed change of the whole policy.",
  input: {
    description: 'The site and its whole policy.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      requestWaitSeconds: t
        .int({
          required: true,
          description: 'How long a request waits for its decisions, in seconds: at most ten years.',
        })
        .validate(seconds),
      maxGrantSeconds: t
        .int({
          description:
            'How long a grant lasts at most, in seconds from its activation. Default: until its ticket is closed.',
        })
        .validate(seconds.nullish()),
      samePersonMayApproveTwice: t.boolean({
        required: true,
        description: "Whether one person may give both the customer's and the Guard's approval.",
      }),
      relayedConsentCounts: t.boolean({
        description:
          "Whether the reporter's consent counts as an approval if a ticketing system relays it. Default: as it is.",
      }),
    }),
  },
  toInput: ({ maxGrantSeconds, relayedConsentCounts, ...input }) => ({
    ...input,
    maxGrantSeconds: maxGrantSeconds ?? null,
    relayedConsentCounts: relayedConsentCounts ?? null,
  }),
});

addCommand(deactivateSite, {
  type: Site,
  description: 'Deactivates a site. Its open requests and grants end for good.',
  input: {
    description: 'The site to deactivate.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
    }),
  },
  toInput: (input) => input,
});

addCommand(reactivateSite, {
  type: Site,
  description: 'Reactivates a site. It accepts requests and grants again.',
  input: {
    description: 'The site to reactivate.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
    }),
  },
  toInput: (input) => input,
});
