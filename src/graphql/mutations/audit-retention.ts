/** The mutation that sets for how long an organization keeps its audit log. */
import { z } from 'zod';
import { longestRetention, shortestRetention } from '../../audit/retention.ts';
import { setAuditRetention } from '../../commands/audit-retention.ts';
import { globalId } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Organization } from '../types/organization.ts';
import { orProposed } from './or-proposed.ts';

const days = z
  .int('must be a whole number of days.')
  .min(shortestRetention, `must be at least ${shortestRetention}.`)
  .max(longestRetention, `must be at most ${longestRetention}.`)
  .nullish();

addCommand(setAuditRetention, {
  type: orProposed(Organization),
  description:
    'Sets for how long an organization keeps the entries of its audit log. Older ones are removed, the oldest first, once they are sealed and were sent to every stream; what proves them stays. A shorter retention takes effect after seven days, a longer one at once. In an organization with Guard, a shorter one takes two people: the result is a proposed change.',
  input: {
    description: 'The organization, and for how long its audit log is kept.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      days: t
        .int({
          description: `How many days an entry is kept: from ${shortestRetention} to ${longestRetention}. Default: for ever.`,
        })
        .validate(days),
    }),
  },
  toInput: ({ organizationId, days }) => ({ organizationId, days: days ?? null }),
});
