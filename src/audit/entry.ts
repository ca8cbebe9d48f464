/** One line of the record: who did what to which thing, how it went, and what it belongs to. */
import type { AuditAction } from './actions.ts';

export type Actor =
  | {
      kind: 'USER' | 'SUPPORT_ENGINEER' | 'OPERATOR' | 'SERVICE_ACCOUNT';
      id: string;
      email: string;
      name: string;
    }
  /** Latchkey itself: time limits, its first operator, mail that was not accepted. */
  | { kind: 'SYSTEM' };

/** A thing by its type's name in the API, and its id. */
export type AuditResource = { type: string; id: string };

/** Whose record it goes into, and where it can be found from. */
export type AuditContext = {
  /** Null: the vendor's record alone; no customer sees it. */
  organizationId: string | null;
  siteId?: string | null;
  ticketId?: string | null;
  grantId?: string | null;
};

export type AuditEntry = AuditContext & {
  action: AuditAction;
  actor: Actor;
  resource: AuditResource;
  /** The code of the refusal, when it was refused. */
  refusalCode: string | null;
  occurredAt: Date;
  /** What changed: docs/audit.md has the shape for each action. Never a secret. */
  details: Record<string, unknown>;
};
