/** One entry of the audit log: who did what to which resource, with which outcome, and where it belongs. */
import type { RequestSource } from '../platform/request-source.ts';
import type { AuditAction } from './actions.ts';

export type Actor =
  | {
      kind: 'USER' | 'SUPPORT_ENGINEER' | 'OPERATOR' | 'COMPLIANCE_ANALYST' | 'SERVICE_ACCOUNT';
      id: string;
      email: string;
      name: string;
    }
  /** Latchkey itself: time limits, its first operator, mail that was not accepted. */
  | { kind: 'SYSTEM' };

/** The person or program, as the audit log names them. */
export function actorOf({ kind, id, email, name }: Exclude<Actor, { kind: 'SYSTEM' }>): Actor {
  return { kind, id, email, name };
}

/** A resource: the name of its type in the API, and its id. */
export type AuditResource = { type: string; id: string };

/** The organization whose audit log has the entry, and the site, ticket, grant and session it belongs to. */
export type AuditContext = {
  /** Null: the entry is on the vendor's audit log alone; no customer sees it. */
  organizationId: string | null;
  siteId?: string | null;
  ticketId?: string | null;
  grantId?: string | null;
  /** The support session in which it happened. */
  sessionId?: string | null;
};

export type AuditEntry = AuditContext & {
  action: AuditAction;
  actor: Actor;
  resource: AuditResource;
  /** The code of the refusal, when it was refused. */
  refusalCode: string | null;
  occurredAt: Date;
  /** Where the request came from by which the actor did it. Left out: no request of the actor's did. */
  source?: RequestSource;
  /** What changed: docs/audit.md has the shape for each action. Never a secret. */
  details: Record<string, unknown>;
};

/** The account in whose name something is done, and where its request came from; left out: it has sent none. */
export type Sender = { accountId: string; source?: RequestSource | undefined };

/** The entries with the source of the request that has caused them: only where its sender is the one who acted. */
export function sentBy({ accountId, source }: Sender, entries: readonly AuditEntry[]): readonly AuditEntry[] {
  if (source === undefined) return entries;
  return entries.map((entry) =>
    entry.actor.kind !== 'SYSTEM' && entry.actor.id === accountId ? { ...entry, source } : entry,
  );
}
