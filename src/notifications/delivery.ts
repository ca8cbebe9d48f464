/** Sends the queued mail, each mail at least once. */
import { createHash } from 'node:crypto';
import { appendAuditEntries } from '../audit/store.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { type Logger, withoutCredentials } from '../platform/logger.ts';
import { defaultQuotas, type Quotas } from '../platform/quotas.ts';
import { claimDigest, holdBackMails, writeDigest } from './digest.ts';
import { withConsole } from './letter.ts';
import type { MailKind, MailText } from './mail-kind.ts';
import { AnswerLostError, type Mailer } from './mailer.ts';
import {
  type ClaimedMail,
  claimMails,
  type MailContents,
  maxAttempts,
  readMails,
  recordMails,
  repeatedAttempts,
} from './queue.ts';

export type Delivery = {
  database: Database;
  clock: Clock;
  logger: Logger;
  mailer: Mailer;
  /** The base URL of the console, which each mail names; null or left out: it is not known. */
  consoleUrl?: string | null;
  /** Default: `defaultQuotas`. */
  quotas?: Quotas | undefined;
  /** Called with the kind of each mail that was given up. */
  onGivenUp?: (kind: string) => void;
  /** Mail of other kinds stays queued. */
  kinds: readonly MailKind[];
};

/** The number of mails that are sent at the same time. */
const atOnce = 5;

/**
 * Claims some of the mails that are due and makes one attempt to send each, and one person's digest. Returns whether more may be due.
 *
 * Any number of gateways may run this at once: each mail is claimed by one of them. It becomes due again only
 * after its retry delay, and only if no result was saved. So a mail is sent twice only if a gateway stops after
 * the mail server accepted it and before that is saved, or if the server does not say that it did: then at most three
 * times. The copies have the same Message-ID.
 *
 * @param signal aborts the attempts; the mails are tried again later
 */
export async function deliverMails(delivery: Delivery, signal: AbortSignal): Promise<boolean> {
  const { database, kinds, clock, quotas = defaultQuotas } = delivery;
  await holdBackMails(database.pool, kinds, clock());
  const inDigest = await claimDigest(database.pool, kinds, clock());
  const { claimed, isAll } = await claimMails(database.pool, kinds, clock(), { limit: atOnce, quotas });
  await allOf([
    attemptDigest(delivery, inDigest, signal),
    ...kinds.map(async (kind) => {
      const told = await readAll(delivery, kind, claimed);
      await allOf(told.map((one) => attempt(delivery, one, signal)));
    }),
  ]);
  return !isAll || inDigest.length > 0;
}

/** A claimed mail that is wanted. */
type Told = { mail: ClaimedMail; kind: MailKind; contents: MailContents };

/** What the mails of this kind say now. Those that nobody wants any more are dropped. */
async function readAll(
  { database, clock }: Delivery,
  kind: MailKind,
  claimed: readonly ClaimedMail[],
): Promise<Told[]> {
  const mails = claimed.filter((mail) => mail.kind === kind.name);
  if (mails.length === 0) return [];
  const read = await readMails(database.pool, kind, mails, clock());
  const told = mails.flatMap((mail, index) => {
    const contents = read[index] ?? null;
    return contents?.isWanted === true ? [{ mail, kind, contents }] : [];
  });
  const wanted = new Set(told.map(({ mail }) => mail));
  const dropped = mails.filter((mail) => !wanted.has(mail));
  // What they report is over, or does not concern this person any more.
  if (dropped.length > 0)
    await recordMails(database.prisma, dropped, { state: 'DROPPED', settledAt: clock() });
  return told;
}

/** Waits for all of them, and throws the first error. */
async function allOf(running: readonly Promise<void>[]): Promise<void> {
  for (const made of await Promise.allSettled(running)) if (made.status === 'rejected') throw made.reason;
}

async function attempt(delivery: Delivery, told: Told, signal: AbortSignal): Promise<void> {
  const { mail, kind, contents } = told;
  // With the time at which it was asked for: a mail that is asked for again is another one.
  const id = `${mail.aboutId}.${mail.recipientId}.${kind.name}.${mail.createdAt.getTime()}`;
  await send(delivery, [told], { id, date: mail.createdAt, ...kind.write(contents) }, signal);
}

async function attemptDigest(
  delivery: Delivery,
  claimed: readonly ClaimedMail[],
  signal: AbortSignal,
): Promise<void> {
  const read = await Promise.all(delivery.kinds.map((kind) => readAll(delivery, kind, claimed)));
  const told = read.flat().sort((a, b) => claimed.indexOf(a.mail) - claimed.indexOf(b.mail));
  const [first, second] = told;
  if (first === undefined) return;
  if (second === undefined) return await attempt(delivery, first, signal);
  const linesOf = (asks: boolean) =>
    told.flatMap(({ kind, contents }) =>
      (kind.decideBy !== undefined) === asks ? [kind.line(contents)] : [],
    );
  const members = told.map(({ mail }) => `${mail.kind} ${mail.aboutId} ${mail.createdAt.getTime()}`);
  const id = `${createHash('sha256').update(members.join()).digest('hex')}.${first.mail.recipientId}.digest`;
  const { recipientName } = first.contents;
  await send(
    delivery,
    [first, second, ...told.slice(2)],
    {
      id,
      date: first.mail.createdAt,
      ...writeDigest({ recipientName, requests: linesOf(true), news: linesOf(false) }),
    },
    signal,
  );
}

/** Makes one attempt to send one mail, which stands for all that it tells. */
async function send(
  delivery: Delivery,
  told: readonly [Told, ...Told[]],
  { id, date, ...text }: MailText & { id: string; date: Date },
  signal: AbortSignal,
): Promise<void> {
  const { database, clock, mailer, consoleUrl = null } = delivery;
  const { recipientName: name, recipientEmail: address } = told[0].contents;
  try {
    await mailer.send({ id, to: { name, address }, date, ...withConsole(text, consoleUrl) }, signal);
  } catch (error) {
    if (!signal.aborted) await recordFailure(delivery, told, error);
    return;
  }
  await recordMails(database.prisma, mailsOf(told), { state: 'SENT', settledAt: clock() });
}

function mailsOf(told: readonly Told[]): ClaimedMail[] {
  return told.map(({ mail }) => mail);
}

async function recordFailure(
  { database, clock, logger, onGivenUp }: Delivery,
  told: readonly [Told, ...Told[]],
  error: unknown,
): Promise<void> {
  const { kind, aboutId, recipientId, attempts } = told[0].mail;
  const lastError = reasonOf(error);
  const about = { err: error, kind, aboutId, recipientId, attempts, mails: told.length };
  if (attempts < maxAttempts) {
    logger.warn(about, 'a mail was not accepted; it will be tried again');
    // The recipient may have it already.
    const counted =
      error instanceof AnswerLostError ? Math.max(attempts, maxAttempts - repeatedAttempts) : attempts;
    await recordMails(database.prisma, mailsOf(told), { lastError, attempts: counted });
    return;
  }
  logger.error(about, 'a mail could not be delivered and was given up: its recipient was not notified');
  for (const { mail } of told) onGivenUp?.(mail.kind);
  const now = clock();
  await database.transaction(async (tx) => {
    await recordMails(tx, mailsOf(told), { state: 'GIVEN_UP', settledAt: now, lastError });
    // The customer reads these entries. Why the mail failed concerns the vendor, and is in the gateway's log.
    await appendAuditEntries(
      tx,
      told.map(({ mail, contents }) => ({
        ...contents.context,
        action: 'mail.give_up',
        actor: { kind: 'SYSTEM' },
        resource: contents.resource,
        refusalCode: null,
        occurredAt: now,
        details: { kind: mail.kind, recipientId: mail.recipientId, attempts: mail.attempts },
      })),
    );
  });
}

/** The message of an error as one line of limited length, without credentials. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return withoutCredentials(`${message}${cause}`).replaceAll(/\s+/g, ' ').slice(0, 500);
}
