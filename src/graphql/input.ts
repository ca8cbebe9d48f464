/** Validation of single input values: ids of a type, texts of limited length without control characters, times. */
import { z } from 'zod';
import { readSiteUrl } from '../organizations/site-url.ts';
import { asciiUpperCase } from '../platform/ascii.ts';
import { isCountryCode } from '../platform/country-codes.ts';
import { parseEmailAddress } from '../platform/email-address.ts';
import { decodeGlobalId } from '../platform/global-id.ts';
import { isId } from '../platform/ids.ts';
import { isVisible, visibleText } from '../platform/visible-text.ts';
import { isDay } from './date-time.ts';

/** Accepts a global id of one of these types and decodes it to the database id. */
export function globalId(...typenames: string[]) {
  return z.string().transform((text, context) => {
    const named = decodeGlobalId(text);
    if (named === null || !typenames.includes(named.typename) || !isId(named.id)) {
      context.addIssue({ code: 'custom', message: `must be the id of a ${typenames.join(' or ')}.` });
      return z.NEVER;
    }
    return named.id;
  });
}

/** As `globalId`, or null or absent. */
export function optionalGlobalId(...typenames: string[]) {
  return globalId(...typenames).nullish();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: this pattern finds control characters
const controlCharacters = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f\u2028\u2029]/;

/**
 * A text of 1 to `max` characters after `visibleText` has made it fit to be shown. Line breaks and tabs are allowed,
 * other control characters are not.
 */
export function text(max: number) {
  return z
    .string()
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode.')
    .refine((value) => !controlCharacters.test(value), 'must not contain control characters.')
    .refine((value) => !/\p{Noncharacter_Code_Point}/u.test(value), 'must consist of characters.')
    .transform(visibleText)
    .pipe(
      z
        .string()
        .refine(isVisible, 'must not be empty, or consist only of invisible characters.')
        .max(max, `must have at most ${max} characters.`),
    );
}

export function optionalText(max: number) {
  return text(max).nullish();
}

export const countryCode = z
  .string()
  .refine(isCountryCode, 'must be an ISO 3166-1 alpha-2 code of a country, in capital letters: DE.');

/** One line of 1 to `max` characters. */
export function line(max: number) {
  return text(max).refine((value) => !/[\n\t]/.test(value), 'must be one line.');
}

/** An identifier. It is compared by its characters, so none of them is removed or replaced, except spaces around it. */
function identifier(max: number) {
  return z.string().trim().max(max, `must have at most ${max} characters.`);
}

/** An identifier by which something is looked up: one line of 1 to `max` characters. */
export function lookUpKey(max: number) {
  return identifier(max)
    .min(1, 'must not be empty.')
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode.')
    .refine((value) => !/\p{Cc}/u.test(value), 'must not contain control characters.');
}

/** The key of a ticket, whose ASCII letters become upper case. */
export const ticketKey = lookUpKey(40).transform(asciiUpperCase);

/** The id that a ticketing system has for a ticket. */
export const externalId = lookUpKey(200);

/**
 * The id of what people consent to: a conversation, a resource to be changed. They see it, and backends compare it, so
 * what cannot be seen is refused instead of removed.
 */
export function visibleKey(max: number) {
  return lookUpKey(max)
    .refine((value) => !controlCharacters.test(value), 'must be one line.')
    .refine((value) => !/\p{Noncharacter_Code_Point}/u.test(value), 'must consist of characters.')
    .refine(
      (value) => isVisible(value) && visibleText(value) === value,
      'must consist of visible characters, in their composed form.',
    );
}

/** Its ASCII letters become lower case. */
export const email = identifier(254).transform((value, context) => {
  const address = parseEmailAddress(value);
  if (address !== null) return address;
  context.addIssue({ code: 'custom', message: 'must be an email address that mail servers accept.' });
  return z.NEVER;
});

/** `https://` and a host, without a path, in its one spelling. */
export const siteUrl = identifier(1_000).transform((value, context) => {
  const url = readSiteUrl(value);
  if (url !== null) return url;
  context.addIssue({ code: 'custom', message: 'must be https:// and a host, without a path.' });
  return z.NEVER;
});

export const productKey = identifier(64).refine(
  (value) => /^[a-z][a-z0-9-]*$/.test(value),
  'must be lower case letters, digits and hyphens, beginning with a letter.',
);

/** The maximum length of a list of enum values in an input. */
export const maxValues = 100;

/** A list in which neither repetitions nor the order matter: at most `maxValues`, of which each is kept once, sorted. */
export function optionalValues<Value extends string>() {
  return z
    .array(z.custom<Value>())
    .max(maxValues, `must have at most ${maxValues} values.`)
    .transform((values) => [...new Set(values)].sort())
    .nullish();
}

/** As `optionalValues`, of the ids of this type. */
export function optionalGlobalIds(typename: string) {
  return listOf(globalId(typename));
}

/** As `optionalValues`, of what something is looked up by. */
export function listOf<Item extends z.ZodType<string, string>>(item: Item) {
  return z
    .array(item)
    .max(maxValues, `must have at most ${maxValues} values.`)
    .transform((values) => [...new Set(values)].sort())
    .nullish();
}

/** A whole number of seconds, at most ten years. */
export const seconds = z
  .int('must be a whole number of seconds.')
  .min(1, 'must be at least 1.')
  .max(315_360_000, 'must be at most ten years.');

/** A whole number of seconds within these limits. */
export function optionalSecondsFrom(from: number, to: number) {
  return z
    .int('must be a whole number of seconds.')
    .min(from, `must be at least ${from}.`)
    .max(to, `must be at most ${to}.`)
    .nullish();
}

/** Codes of countries, at most 250. Neither repetitions nor the order matter: each is kept once, sorted. */
export const optionalCountries = z
  .array(z.string().refine(isCountryCode, 'must be ISO 3166-1 alpha-2 codes, such as DE.'))
  .max(250, 'must have at most 250 values.')
  .transform((codes) => [...new Set(codes)].sort())
  .nullish();

/** A moment, or a day, which is its beginning in UTC. */
export const momentOrDay = z
  .date()
  .refine((moment) => moment.getTime() >= 0, 'must not be before the year 1970.')
  .refine((moment) => moment.getTime() < 4_102_444_800_000, 'must be before the year 2100.');

export const date = momentOrDay.refine(
  (moment) => !isDay(moment),
  'must have a time of day, such as 2026-11-27T00:00:00Z.',
);

export const optionalDate = date.nullish();

export const optionalVersion = z.int().min(1, 'must be at least 1.').nullish();

/** Identifies repetitions of a mutation by the same account. */
export const optionalIdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible ASCII characters.')
  .nullish();
