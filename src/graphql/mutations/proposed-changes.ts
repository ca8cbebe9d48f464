/** Mutations that settle a proposed change. */
import {
  confirmProposedChange,
  declineProposedChange,
  withdrawProposedChange,
} from '../../commands/decide-proposed-change.ts';
import { globalId } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { ProposedChange } from '../types/proposed-change.ts';

for (const [command, description] of [
  [
    confirmProposedChange,
    'Confirms what another person has proposed, which takes effect at once. Where it can no longer be made, it has ended, and the result is `CHANGE_LAPSED`.',
  ],
  [declineProposedChange, 'Declines what another person has proposed. Nothing changes, and it has ended.'],
  [withdrawProposedChange, 'Takes a proposed change back, as its proposer or as an organization admin.'],
] as const) {
  addCommand(command, {
    type: ProposedChange,
    description,
    input: {
      description: 'The proposed change.',
      fields: (t) => ({
        proposedChangeId: t
          .id({ required: true, description: 'The proposed change.' })
          .validate(globalId('ProposedChange')),
      }),
    },
    toInput: (input) => input,
  });
}
