/** Settings and life of a site. */
import {
  deactivateSite,
  reactivateSite,
  setSupportAccessPolicy,
  setSupportAccessRestrictions,
} from '../../commands/change-site.ts';
import { globalId, seconds } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Site } from '../types/site.ts';

addCommand(setSupportAccessRestrictions, {
  type: Site,
  description: "Switches the Guard admin's second approval on or off, for approvals to come.",
  input: {
    description: 'Whether support access is restricted on a site.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      restricted: t.boolean({
        required: true,
        description: 'Whether a Guard admin decides in second place.',
      }),
    }),
  },
  toInput: (input) => input,
});

addCommand(setSupportAccessPolicy, {
  type: Site,
  description: "Sets the site's time limits and its two-person rule, for requests and approvals to come.",
  input: {
    description: 'The whole policy of a site.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
      requestWaitSeconds: t
        .int({ required: true, description: 'How long a request waits for its decisions, in seconds.' })
        .validate(seconds),
      maxGrantSeconds: t
        .int({
          description: 'How long a grant lasts at most, in seconds; left out: until the ticket closes.',
        })
        .validate(seconds.nullish()),
      samePersonMayApproveTwice: t.boolean({
        required: true,
        description: "Whether one person may give both the customer's and the Guard's approval.",
      }),
    }),
  },
  toInput: ({ maxGrantSeconds, ...input }) => ({ ...input, maxGrantSeconds: maxGrantSeconds ?? null }),
});

addCommand(deactivateSite, {
  type: Site,
  description: 'Deactivates a site: what is pending and active on it ends, and none of it comes back.',
  input: {
    description: 'Which site to deactivate.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
    }),
  },
  toInput: (input) => input,
});

addCommand(reactivateSite, {
  type: Site,
  description: 'Reactivates a site: it accepts grants again.',
  input: {
    description: 'Which site to reactivate.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
    }),
  },
  toInput: (input) => input,
});
