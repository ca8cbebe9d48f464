/** What the texts of all mails share. Lines are short, so that every mail program shows them as they were sent. */
import type { MailText } from './mail-kind.ts';
import { quotedText } from './quoted-text.ts';

/** Its name, at most twelve letters long, and its value in one line. */
export type Fact = readonly [name: string, value: string];

type Letter = {
  recipientName: string;
  /** Lines that say what has happened. */
  opening: readonly string[];
  facts: readonly Fact[];
  /** Lines that say what the recipient can do. */
  closing: readonly string[];
};

export function letter({ recipientName, opening, facts, closing }: Letter): string {
  return [
    `Hello ${quotedText(recipientName, 100)},`,
    '',
    ...opening,
    '',
    ...facts.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}`),
    ...(facts.length > 0 ? [''] : []),
    ...closing,
    '',
  ].join('\n');
}

/** The mail with a link to the console, if its URL is known. */
export function withConsole({ subject, text }: MailText, consoleUrl: string | null): MailText {
  return { subject, text: consoleUrl === null ? text : `${text}\nThe console: ${consoleUrl}\n` };
}

/** `2026-11-23 10:16 UTC` */
export function inUtc(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
