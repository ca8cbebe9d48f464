/** Sends the queued mail, each mail at least once. */
import { appendAuditEntries } from '../audit/store.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { type Logger, withoutCredentials } from '../platform/logger.ts';
import { withConsole } from './letter.ts';
import type { MailKind } from './mail-kind.ts';
import { AnswerLostError, type Mailer } from './mailer.ts';
import {
  type ClaimedMail,
  claimMails,
  type MailContents,
  maxAttempts,
  readMails,
  recordMail,
  repeatedAttempts,
} from './queue.ts';

export type Delivery = {
  database: Database;
  clock: Clock;
  logger: Logger;
  mailer: Mailer;
  /** The base URL of the console, which each mail names; null or left out: it is not known. */
  consoleUrl?: string | null;
  /** Called with the kind of each mail that was given up. */
  onGivenUp?: (kind: string) => void;
  /** Mail of other kinds stays queued. */
  kinds: readonly MailKind[];
};

/** The number of mails that are sent at the same time. */
const atOnce = 5;

/**
 * Claims some of the mails that are due and makes one attempt to send each. Returns whether more may be due.
 *
 * Any number of gateways may run this at once: each mail is claimed by one of them. It becomes due again only
 * after its retry delay, and only if no result was saved. So a mail is sent twice only if a gateway stops after
 * the mail server accepted it and before that is saved, or if the server does not say that it did: then at most three
 * times. The copies have the same Message-ID.
 *
 * @param signal aborts the attempts; the mails are tried again later
 */
export async function deliverMails(delivery: Delivery, signal: AbortSignal): Promise<boolean> {
  const { database, kinds, clock } = delivery;
  const claimed = await claimMails(database.pool, kinds, clock(), atOnce);
  await allOf(
    kinds.map((kind) =>
      attemptAll(
        delivery,
        kind,
        claimed.filter((mail) => mail.kind === kind.name),
        signal,
      ),
    ),
  );
  return claimed.length === atOnce;
}

async function attemptAll(
  delivery: Delivery,
  kind: MailKind,
  mails: readonly ClaimedMail[],
  signal: AbortSignal,
): Promise<void> {
  if (mails.length === 0) return;
  const contents = await readMails(delivery.database.pool, kind, mails, delivery.clock());
  await allOf(mails.map((mail, index) => attempt(delivery, kind, mail, contents[index] ?? null, signal)));
}

/** Waits for all of them, and throws the first error. */
async function allOf(running: readonly Promise<void>[]): Promise<void> {
  for (const made of await Promise.allSettled(running)) if (made.status === 'rejected') throw made.reason;
}

async function attempt(
  delivery: Delivery,
  kind: MailKind,
  mail: ClaimedMail,
  contents: MailContents | null,
  signal: AbortSignal,
): Promise<void> {
  const { database, clock, mailer } = delivery;
  // What it reports is over, or does not concern this person any more: send nothing.
  if (contents === null || !contents.isWanted) {
    await recordMail(database.prisma, mail, { state: 'DROPPED', settledAt: clock() });
    return;
  }
  try {
    await mailer.send(
      {
        // With the time at which it was asked for: a mail that is asked for again is another one.
        id: `${mail.aboutId}.${mail.recipientId}.${kind.name}.${mail.createdAt.getTime()}`,
        to: { name: contents.recipientName, address: contents.recipientEmail },
        date: mail.createdAt,
        ...withConsole(kind.write(contents), delivery.consoleUrl ?? null),
      },
      signal,
    );
  } catch (error) {
    if (!signal.aborted) await recordFailure(delivery, mail, contents, error);
    return;
  }
  await recordMail(database.prisma, mail, { state: 'SENT', settledAt: clock() });
}

async function recordFailure(
  { database, clock, logger, onGivenUp }: Delivery,
  mail: ClaimedMail,
  { context, resource }: MailContents,
  error: unknown,
): Promise<void> {
  const { kind, aboutId, recipientId, attempts } = mail;
  const lastError = reasonOf(error);
  const about = { err: error, kind, aboutId, recipientId, attempts };
  if (attempts < maxAttempts) {
    logger.warn(about, 'a mail was not accepted; it will be tried again');
    // The recipient may have it already.
    const counted =
      error instanceof AnswerLostError ? Math.max(attempts, maxAttempts - repeatedAttempts) : attempts;
    await recordMail(database.prisma, mail, { lastError, attempts: counted });
    return;
  }
  logger.error(about, 'a mail could not be delivered and was given up: its recipient was not notified');
  onGivenUp?.(kind);
  const now = clock();
  await database.transaction(async (tx) => {
    await recordMail(tx, mail, { state: 'GIVEN_UP', settledAt: now, lastError });
    // The customer reads this entry. Why the mail failed concerns the vendor, and is in the gateway's log.
    await appendAuditEntries(tx, [
      {
        ...context,
        action: 'mail.give_up',
        actor: { kind: 'SYSTEM' },
        resource,
        refusalCode: null,
        occurredAt: now,
        details: { kind, recipientId, attempts },
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
