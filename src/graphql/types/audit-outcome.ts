import { builder } from '../builder.ts';

export const AuditOutcome = builder.enumType('AuditOutcome', {
  description: 'The outcome of an action.',
  values: {
    SUCCEEDED: { description: 'The action succeeded.' },
    REFUSED: { description: 'The action was refused. Nothing changed.' },
  } as const,
});
