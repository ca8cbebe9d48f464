import { appendAuditEntries } from '../audit/store.ts';
import type { Viewer } from '../identity/viewer.ts';
import {
  addInvited,
  bindSubject,
  findViewerBySubject,
  type Subject,
  type ViewerAt,
} from '../identity/viewer-store.ts';
import { isUniqueViolation, type Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { noSource, type RequestSource } from '../platform/request-source.ts';
import { accountTypename } from './account-typename.ts';
import type { Dependencies } from './execute.ts';

export type Reading = Pick<Dependencies, 'database' | 'clock' | 'unsettledSites'> & {
  /** Remembers who was read. */
  viewers?: { note(subject: Subject, viewer: ViewerAt): void };
};

/**
 * The active account that a verified token speaks for, or null.
 *
 * An account is known by its subject and the issuer of that. At its first sign-in it is found by its email and from
 * then on bound to the subject, so that an email address that is given to another person later opens nothing. A
 * subject that is bound to one account, active or not, is never bound to another.
 *
 * Whoever is invited to an organization and has no account gets one: it opens nothing before they accept.
 *
 * One statement, except at the first sign-in, which is a transaction with an entry on the audit log.
 */
export async function signIn(
  dependencies: Reading,
  { email, ...subject }: Subject & { email: string | null },
  source: RequestSource = noSource,
): Promise<Viewer | null> {
  const known = await findBound(dependencies, subject);
  if (known !== null || email === null) return known;
  const bound = await bindSubjectAtFirstSignIn(dependencies, { subject, email, source });
  // Of several first requests at once, one binds the account and the others find it bound.
  return bound ?? (await findBound(dependencies, subject));
}

async function findBound(reading: Reading, { issuer, subject }: Subject): Promise<Viewer | null> {
  const found = await findViewerBySubject(reading.database.pool, { issuer, subject });
  if (found === null) return null;
  noteViewer(reading, found);
  reading.viewers?.note({ issuer, subject }, found);
  return found.viewer;
}

/** Goes by what was true at the moment when the viewer was read. */
export function noteViewer(
  { clock, unsettledSites }: Pick<Reading, 'clock' | 'unsettledSites'>,
  found: ViewerAt,
): void {
  clock(found.readAt);
  unsettledSites?.note(found.unsettledSites);
}

/** Null when nothing was bound, because another request was first or there is no account to bind. */
async function bindSubjectAtFirstSignIn(
  { database, clock, unsettledSites }: Reading,
  { subject: { issuer, subject }, email, source }: { subject: Subject; email: string; source: RequestSource },
): Promise<Viewer | null> {
  try {
    return await database.transaction(async (tx) => {
      const bound = await bindAccount(tx, { issuer, subject }, email, clock);
      if (bound === null) return null;
      unsettledSites?.note(bound.unsettledSites);
      const { kind, id, name, email: known } = bound.viewer;
      await appendAuditEntries(tx, [
        {
          action: 'account.bind_subject',
          actor: { kind, id, email: known, name },
          resource: { type: accountTypename[kind], id },
          refusalCode: null,
          occurredAt: clock(bound.readAt),
          organizationId: null,
          source,
          details: { email: known, issuer, subject },
        },
      ]);
      return bound.viewer;
    });
  } catch (error) {
    // Another account was bound to the subject at the same moment.
    if (isUniqueViolation(error)) return null;
    throw error;
  }
}

async function bindAccount(
  tx: Transaction,
  subject: Subject,
  email: string,
  clock: Reading['clock'],
): Promise<ViewerAt | null> {
  const bound = await bindSubject(tx, subject, email);
  if (bound !== null || !(await addInvited(tx, subject, { id: newId(clock()), email }))) return bound;
  return await bindSubject(tx, subject, email);
}
