/** Sends the queued mail to Guard admins, each mail at least once. */
import { appendAuditEntries } from '../audit/store.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { type Logger, withoutCredentials } from '../platform/logger.ts';
import { writeGuardMail } from './guard-mail.ts';
import type { Mailer } from './mailer.ts';
import { type DueGuardMail, maxAttempts, recordGuardMail, takeUpGuardMails } from './store.ts';

export type Delivery = { database: Database; clock: Clock; logger: Logger; mailer: Mailer };

/** The number of mails that are sent at the same time. */
const atOnce = 5;

/**
 * Claims some of the mails that are due and makes one attempt to send each. Returns whether more may be due.
 *
 * Any number of gateways may run this at once: each mail is claimed by one of them. It becomes due again only
 * after its retry delay, and only if no result was saved. So a mail is sent twice only if a gateway stops after
 * the mail server accepted it and before that is saved. Both copies then have the same Message-ID.
 *
 * @param signal aborts the attempts; the mails are tried again later
 */
export async function deliverGuardMails(delivery: Delivery, signal: AbortSignal): Promise<boolean> {
  const mails = await takeUpGuardMails(delivery.database.pool, delivery.clock(), atOnce);
  const attempts = await Promise.allSettled(mails.map((mail) => attempt(delivery, mail, signal)));
  for (const made of attempts) if (made.status === 'rejected') throw made.reason;
  return mails.length === atOnce;
}

async function attempt(delivery: Delivery, mail: DueGuardMail, signal: AbortSignal): Promise<void> {
  const { database, clock, mailer } = delivery;
  // The request is decided, withdrawn or expired, or this person may no longer decide it: send nothing.
  if (!mail.isWanted) {
    await recordGuardMail(database.prisma, mail, { state: 'DROPPED', settledAt: clock() });
    return;
  }
  try {
    await mailer.send(
      {
        id: `${mail.grantId}.${mail.recipientId}`,
        to: { name: mail.recipientName, address: mail.recipientEmail },
        date: mail.createdAt,
        ...writeGuardMail(mail),
      },
      signal,
    );
  } catch (error) {
    if (!signal.aborted) await recordFailure(delivery, mail, error);
    return;
  }
  await recordGuardMail(database.prisma, mail, { state: 'SENT', settledAt: clock() });
}

async function recordFailure(
  { database, clock, logger }: Delivery,
  mail: DueGuardMail,
  error: unknown,
): Promise<void> {
  const { grantId, recipientId, attempts, organizationId, siteId, ticketId } = mail;
  const lastError = reasonOf(error);
  const about = { err: error, grantId, recipientId, attempts };
  if (attempts < maxAttempts) {
    logger.warn(about, 'a mail to a Guard admin was not accepted; it will be tried again');
    await recordGuardMail(database.prisma, mail, { lastError });
    return;
  }
  logger.error(
    about,
    'a mail to a Guard admin could not be delivered and was given up: they were not notified of the request',
  );
  const now = clock();
  await database.transaction(async (tx) => {
    await recordGuardMail(tx, mail, { state: 'GIVEN_UP', settledAt: now, lastError });
    // The customer reads this entry. Why the mail failed concerns the vendor, and is in the gateway's log.
    await appendAuditEntries(tx, [
      {
        ...{ organizationId, siteId, ticketId, grantId },
        action: 'guard_mail.give_up',
        actor: { kind: 'SYSTEM' },
        resource: { type: 'Grant', id: grantId },
        refusalCode: null,
        occurredAt: now,
        details: { recipientId, attempts },
      },
    ]);
  });
}

/** The message of an error as one line of limited length, without credentials. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return withoutCredentials(`${message}${cause}`).replaceAll(/\s+/g, ' ').slice(0, 500);
}
