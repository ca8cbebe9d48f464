/** Email addresses, as mail servers accept them (RFC 5321, RFC 6531). */
import { isIPv4, isIPv6 } from 'node:net';
import { asciiLowerCase } from './ascii.ts';

const maxBytes = 254;
const maxLocalPartBytes = 64;
const maxDomainCharacters = 253;

/** One character beyond ASCII that people can see: no space, no control or format character. */
const visible = '(?:(?![\\u0000-\\u007f])[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}])';
const atom = `(?:[A-Za-z0-9!#$%&'*+/=?^_\`{|}~-]|${visible})+`;
const quoted = `"(?:[\\x20!#-\\[\\]-~]|\\\\[\\x20-~]|${visible})*"`;
const localPart = new RegExp(`^(?:${atom}(?:\\.${atom})*|${quoted})$`, 'u');
const domainName =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/**
 * The address with its ASCII letters in lower case, which is how addresses are kept and compared; null if no mail
 * server accepts it.
 *
 * The part before the `@` may be quoted and may have letters beyond ASCII, in their normalized form (NFKC). Letters
 * that look like or are case variants of ASCII ones, as the KELVIN SIGN, are refused. A domain is in its ASCII form
 * (`xn--…`), or an address literal.
 */
export function parseEmailAddress(text: string): string | null {
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  return Buffer.byteLength(text) <= maxBytes && isLocalPart(local) && isDomain(domain)
    ? asciiLowerCase(text)
    : null;
}

function isLocalPart(text: string): boolean {
  return (
    Buffer.byteLength(text) <= maxLocalPartBytes &&
    localPart.test(text) &&
    text.normalize('NFKC') === text &&
    !becomesAscii(text)
  );
}

/** Whether lower-casing turns a letter beyond ASCII into an ASCII one, as with the KELVIN SIGN and the dotted I. */
function becomesAscii(text: string): boolean {
  return [...text].some((letter) => letter > '\u007f' && /[a-z]/.test(letter.toLowerCase()));
}

function isDomain(text: string): boolean {
  const literal = /^\[(?:(IPv6:)([^\]]+)|([^\]]+))\]$/i.exec(text);
  if (literal !== null) return literal[1] === undefined ? isIPv4(literal[3] ?? '') : isIPv6(literal[2] ?? '');
  return text.length <= maxDomainCharacters && domainName.test(text);
}
