import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import { builder } from '../builder.ts';

export const ActorKind = builder.enumType('ActorKind', {
  description: 'The kind of the person or program that acted.',
  values: {
    USER: { description: "A customer's user." },
    SUPPORT_ENGINEER: { description: 'A support engineer.' },
    OPERATOR: { description: "The vendor's operator." },
    COMPLIANCE_ANALYST: { description: "The vendor's compliance analyst." },
    SERVICE_ACCOUNT: { description: 'A service account.' },
    SYSTEM: {
      description: 'Latchkey itself: a time limit, its first operator, mail that could not be delivered.',
    },
  } as const,
});

export const AuditActor = builder.objectRef<AuditRow>('AuditActor').implement({
  description: 'The person or program that acted, as they were at the time.',
  fields: (t) => ({
    kind: t.field({
      type: ActorKind,
      description: 'The kind of account they had, or `SYSTEM`.',
      resolve: ({ actorKind }) => actorKind as typeof ActorKind.$inferType,
    }),
    email: t.exposeString('actorEmail', {
      nullable: true,
      description: 'The email address. Null for `SYSTEM`.',
    }),
    name: t.exposeString('actorName', { description: 'The display name: `Latchkey` for `SYSTEM`.' }),
  }),
});
