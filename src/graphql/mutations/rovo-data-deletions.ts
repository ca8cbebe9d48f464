/** Mutations that request, withdraw and record the deletion of what Rovo has stored. */
import {
  recordRovoDataDeletion,
  requestRovoDataDeletion,
  withdrawRovoDataDeletion,
} from '../../commands/delete-rovo-data.ts';
import { builder } from '../builder.ts';
import { invalidField } from '../errors.ts';
import { globalId, optionalGlobalId, optionalText } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { RovoDataDeletion } from '../types/rovo-data-deletion.ts';

const RovoDataDeletionStep = builder.enumType('RovoDataDeletionStep', {
  description: 'What the backend of Rovo records of a deletion.',
  values: {
    STARTED: { description: 'It has begun, for the first time or once more after a failed attempt.' },
    COMPLETED: { description: 'The data is deleted.' },
    FAILED: { description: 'The attempt failed.' },
  } as const,
});

addCommand(requestRovoDataDeletion, {
  type: RovoDataDeletion,
  description:
    'Requests the deletion of what Rovo has stored about an organization or one of its sites, as an organization admin. Every organization admin gets mail about it. It ends no grant.',
  input: {
    description: 'Whose data is to be deleted.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      siteId: t
        .id({ description: 'The site of the organization. Default: the whole organization.' })
        .validate(optionalGlobalId('Site')),
      reason: t
        .string({ description: 'Why, for the other organization admins: at most 2,000 characters.' })
        .validate(optionalText(2_000)),
    }),
  },
  toInput: ({ organizationId, siteId, reason }) => ({
    organizationId,
    siteId: siteId ?? null,
    reason: reason ?? null,
  }),
});

addCommand(withdrawRovoDataDeletion, {
  type: RovoDataDeletion,
  description:
    'Withdraws the request for a deletion that has not begun, as an organization admin or as who requested it.',
  input: {
    description: 'The deletion.',
    fields: (t) => ({
      rovoDataDeletionId: t
        .id({ required: true, description: 'The deletion.' })
        .validate(globalId('RovoDataDeletion')),
    }),
  },
  toInput: (input) => input,
});

addCommand(recordRovoDataDeletion, {
  type: RovoDataDeletion,
  description:
    'Records how far a deletion is, as the backend of Rovo: a service account with `ACCESS_EVALUATION` for the product `rovo`. A failed one may be started again. Every organization admin gets mail when it is completed.',
  input: {
    description: 'The deletion and what has happened.',
    fields: (t) => ({
      rovoDataDeletionId: t
        .id({ required: true, description: 'The deletion.' })
        .validate(globalId('RovoDataDeletion')),
      step: t.field({ type: RovoDataDeletionStep, required: true, description: 'What has happened.' }),
      reason: t
        .string({
          description:
            'Why it failed, for the customer to read: at most 2,000 characters. Only with `FAILED`.',
        })
        .validate(optionalText(2_000)),
    }),
  },
  toInput: ({ rovoDataDeletionId, step, reason }) => {
    if (step !== 'FAILED' && reason != null)
      throw invalidField('input.reason', 'must be left out unless the step is FAILED.');
    return { rovoDataDeletionId, step, reason: reason ?? null };
  },
});
