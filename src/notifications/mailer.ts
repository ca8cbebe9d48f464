/** Sends mail to a mail server, or writes it to files in development. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createTransport, type SendMailOptions } from 'nodemailer';
import type { Mailbox } from '../config/config.ts';
import type { Logger } from '../platform/logger.ts';

export type Mail = {
  /** The part of its Message-ID before the `@`: the same at every attempt, so that receivers can drop repetitions. */
  id: string;
  to: Mailbox;
  date: Date;
  subject: string;
  /** Lines end with `\n`. */
  text: string;
};

export type Mailer = {
  /**
   * Resolves when the mail server has accepted the mail. Rejects when it was refused, took too long, or was aborted
   * by the signal.
   *
   * @throws AnswerLostError if the server may have accepted it nevertheless
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
};

/** The mail server has got the whole mail and did not say whether it accepted it. */
export class AnswerLostError extends Error {
  constructor(cause: unknown) {
    super('The mail server has got the mail and did not answer', { cause });
    this.name = 'AnswerLostError';
  }
}

/** Deadline in milliseconds for sending one mail, from connecting to the last reply of the mail server. */
const acceptanceDeadline = 20_000;

/**
 * Sends through a mail server: `smtps://` uses TLS from the start, `smtp://` as soon as the server offers
 * it. A password never goes over a connection without TLS.
 */
export function createSmtpMailer({
  url,
  from,
  deadline = acceptanceDeadline,
}: {
  url: string;
  from: Mailbox;
  /** Milliseconds. */
  deadline?: number;
}): Mailer {
  const transport = createTransport({
    url,
    requireTLS: new URL(url).username !== '',
    socketCloseTimeout: 0,
  });
  /** The Message-IDs of mails that are being sent, and of which nothing is left to send. */
  const written = new Set<string>();
  transport.use('stream', ({ data: { messageId = '' }, message }, next) => {
    message.transform(() => new PassThrough().once('end', () => void written.add(messageId)));
    next();
  });
  return {
    async send(mail, signal) {
      const either = AbortSignal.any([signal, AbortSignal.timeout(deadline)]);
      const message = toMessage(mail, from);
      try {
        await transport.sendMail({ ...message, signal: either });
      } catch (error) {
        const isAnswered =
          error instanceof Error && 'responseCode' in error && error.responseCode !== undefined;
        if (isAnswered || !written.has(message.messageId)) throw error;
        throw new AnswerLostError(error instanceof Error ? (error.cause ?? error) : error);
      } finally {
        written.delete(message.messageId);
      }
    },
  };
}

/** The number of files that are kept. Those of the oldest requests are deleted first. */
const filesKept = 200;

/** Writes each mail to the folder as a file that any mail program can open, and logs the file's path. */
export function createFolderMailer({
  folder,
  from,
  logger,
}: {
  folder: string;
  from: Mailbox;
  logger: Logger;
}): Mailer {
  const transport = createTransport({ streamTransport: true, buffer: true });
  return {
    async send(mail) {
      const { message } = await transport.sendMail(toMessage(mail, from));
      const file = join(folder, `${mail.id}.eml`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(file, message, { mode: 0o600 });
      const files = (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort();
      for (const name of files.slice(0, -filesKept)) await rm(join(folder, name), { force: true });
      logger.info({ file, subject: mail.subject }, 'SMTP_URL is not set: the mail was written to a file');
    },
  };
}

function toMessage(
  { id, to, date, subject, text }: Mail,
  from: Mailbox,
): SendMailOptions & { messageId: string } {
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  return {
    ...{ from, to, date, subject, text },
    messageId: `<${id}@${domain}>`,
    // Asks mail programs not to send out-of-office replies.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
