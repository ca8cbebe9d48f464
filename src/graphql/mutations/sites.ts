/** Mutations that change the settings of a site, deactivate it and reactivate it. */
import { deactivateSite, reactivateSite, setSupportAccessRestrictions } from '../../commands/change-site.ts';
import { setSupportAccessPolicy } from '../../commands/support-access-policy.ts';
import { globalId, optionalCountries, optionalSecondsFrom, seconds } from '../input.ts';
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
    "Sets a site's policy: time limits, the two-person rule, whether a relayed consent counts, and from where support acts. Requests that were opened before keep the former rules where those are tighter; a shorter wait brings their deadlines forward, to the present at the earliest. Open support sessions keep their limits; regions and countries count from the next action. On a restricted site, loosening any of them takes two people: the result is a proposed change of the whole policy.",
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
      dataResidencyPinned: t.boolean({
        description:
          'Whether its data is processed only in its own region, and exported only to it. Default: as it is.',
      }),
      engineerCountries: t
        .stringList({
          description:
            "The countries from which engineers may act, as ISO 3166-1 alpha-2 codes: at most 250. Empty: all of the vendor's. Default: as they are.",
        })
        .validate(optionalCountries),
      sessionIdleSeconds: t
        .int({
          description:
            'After how many seconds without an action a support session ends: 60 to 86,400. Default: as it is.',
        })
        .validate(optionalSecondsFrom(60, 86_400)),
      maxSessionSeconds: t
        .int({
          description:
            'After how many seconds a support session ends: 300 to 604,800, and not less than `sessionIdleSeconds`. Default: as it is.',
        })
        .validate(optionalSecondsFrom(300, 604_800)),
    }),
  },
  toInput: ({ siteId, requestWaitSeconds, samePersonMayApproveTwice, ...input }) => ({
    ...{ siteId, requestWaitSeconds, samePersonMayApproveTwice },
    maxGrantSeconds: input.maxGrantSeconds ?? null,
    relayedConsentCounts: input.relayedConsentCounts ?? null,
    dataResidencyPinned: input.dataResidencyPinned ?? undefined,
    engineerCountries: input.engineerCountries ?? undefined,
    sessionIdleSeconds: input.sessionIdleSeconds ?? undefined,
    maxSessionSeconds: input.maxSessionSeconds ?? undefined,
  }),
});

addCommand(deactivateSite, {
  type: Site,
  description:
    'Deactivates a site. Its open requests and grants end for good, at this moment. Where there are very many, their entries on the audit log and their events follow within seconds; until then the site cannot be reactivated.',
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
  description:
    'Reactivates a site. It accepts requests and grants again; none of the old ones comes back. Refused with NOT_SETTLED_YET as long as some of them are not recorded as over.',
  input: {
    description: 'The site to reactivate.',
    fields: (t) => ({
      siteId: t.id({ required: true, description: 'The site.' }).validate(globalId('Site')),
    }),
  },
  toInput: (input) => input,
});
