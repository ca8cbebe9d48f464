import { visibleText } from '../platform/visible-text.ts';

/** Characters that end a line. */
const lineBreaks = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;

/** What makes mail programs show a link: a scheme, a mail address, a host name, with any of IDNA's dots. */
const linkParts = /(?<=\p{L}):(?=\S)|(?<=\S)@(?=\S)|(?<=[\p{L}\p{N}-])[.。．｡](?=\p{L}[\p{L}\p{M}\p{N}-])/gu;

/**
 * Returns text that people wrote as one line of at most `max` characters for a mail. It cannot imitate the gateway's
 * own lines, and no mail program makes a link of it: the sign that would make one stands in brackets,
 * `https[:]//evil[.]example`. Brackets count beyond `max`.
 */
export function quotedText(text: string, max: number): string {
  const line = visibleText(text.replace(lineBreaks, ' '));
  const characters = [...line];
  const short = characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`;
  return short.replace(linkParts, '[$&]');
}
