/** Validation of single input values: ids of a type, texts of limited length without control characters, times. */
import { z } from 'zod';
import { isId } from '../platform/ids.ts';
import { decodeGlobalId } from './global-id.ts';

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
 * A text of 1 to `max` characters after trimming. Line breaks and tabs are allowed, other control characters are not.
 */
function text(max: number) {
  return z
    .string()
    .trim()
    .min(1, 'must not be empty.')
    .max(max, `must have at most ${max} characters.`)
    .refine((value) => !controlCharacters.test(value), 'must not contain control characters.')
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode.');
}

export function optionalText(max: number) {
  return text(max).nullish();
}

/** One line of 1 to `max` characters. */
export function line(max: number) {
  return text(max).refine((value) => !/[\r\n\t]/.test(value), 'must be one line.');
}

export function optionalLine(max: number) {
  return line(max).nullish();
}

export const email = line(254)
  .toLowerCase()
  .refine((value) => z.email().safeParse(value).success, 'must be an email address.');

/** `https://` and a host, without a path. */
export const siteUrl = line(253)
  .toLowerCase()
  .transform((value) => value.replace(/\/$/, ''))
  .refine(
    (value) => /^https:\/\/[a-z0-9.-]+(:[0-9]+)?$/.test(value),
    'must be https:// and a host, without a path.',
  );

export const productKey = line(64).refine(
  (value) => /^[a-z][a-z0-9-]*$/.test(value),
  'must be lower case letters, digits and hyphens, beginning with a letter.',
);

/** A whole number of seconds, at most ten years. */
export const seconds = z
  .int('must be a whole number of seconds.')
  .min(1, 'must be at least 1.')
  .max(315_360_000, 'must be at most ten years.');

export const optionalDate = z
  .date()
  .refine((date) => date.getTime() >= 0, 'must not be before the year 1970.')
  .refine((date) => date.getTime() < 4_102_444_800_000, 'must be before the year 2100.')
  .nullish();

export const optionalVersion = z.int().min(1, 'must be at least 1.').nullish();

/** Identifies repetitions of a mutation by the same account. */
export const optionalIdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 visible ASCII characters.')
  .nullish();
