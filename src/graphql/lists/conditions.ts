/** What the filters of lists share: values, dates, words. */

import { wordsOf } from '../../platform/words.ts';
import type { builder } from '../builder.ts';
import { upToMillisecond } from '../date-time.ts';
import { badUserInput } from '../errors.ts';
import { line, maxValues, momentOrDay, optionalGlobalIds } from '../input.ts';

export type FilterFields = Parameters<NonNullable<Parameters<typeof builder.inputType>[1]>['fields']>[0];

/** `from` and `until`, on this field of the items. */
export function periodFields(t: FilterFields, items: string, field: string) {
  return {
    from: t
      .field({
        type: 'DateTime',
        description: `Only ${items} with \`${field}\` at this time or later. A day, \`2026-11-27\`, is its beginning in UTC.`,
      })
      .validate(momentOrDay.transform(upToMillisecond).nullish()),
    until: t
      .field({
        type: 'DateTime',
        description: `Only ${items} with \`${field}\` before this time. A day is its beginning in UTC, so that day is left out.`,
      })
      .validate(momentOrDay.transform(upToMillisecond).nullish()),
  };
}

export function idsField(t: FilterFields, typename: string, description: string) {
  return t
    .idList({ description: `${description}, at most ${maxValues}.` })
    .validate(optionalGlobalIds(typename));
}

/** The sites that are asked for, if any are: what is on them is read, and nothing else is looked at. */
export function onSites(
  one: string | null | undefined,
  several: readonly string[] | null | undefined,
): { siteIds?: readonly string[] } {
  if (one == null) return several == null ? {} : { siteIds: several };
  return { siteIds: [one].filter((id) => several?.includes(id) ?? true) };
}

export function textField(t: FilterFields, description: string) {
  return t
    .string({
      description: `${description} Each word of it, of letters and digits, has to begin one of their words, in any case. At most 100 characters.`,
    })
    .validate(
      line(100)
        .refine((text) => wordsOf(text).length > 0, 'must have a letter or a digit.')
        .nullish(),
    );
}

type Period = { from?: Date | null | undefined; until?: Date | null | undefined };

/** A day more than ids and the times that are recorded with them were ever apart, in milliseconds. */
const margin = 86_400_000;

/** The part of a list's selection for rows that meet all of the conditions, and whose `column` is in the period. */
export function whereInPeriod(column: string, period: Period, where: readonly object[]) {
  return {
    where: { AND: [...where, inPeriod(column, period)] },
    isWithinPeriod: period.from != null || period.until != null,
  };
}

/**
 * The condition for rows whose `column` is in the period. Ids have the time at which they were made: the bounds of ids say
 * to PostgreSQL which part of an index to read.
 */
function inPeriod(column: string, { from, until }: Period): object {
  if (from != null && until != null && from >= until)
    throw badUserInput('filter.from must be before filter.until.');
  const conditions = [
    ...(from == null
      ? []
      : [{ [column]: { gte: from } }, { id: { gte: firstIdAt(from.getTime() - margin) } }]),
    ...(until == null
      ? []
      : [{ [column]: { lt: until } }, { id: { lt: firstIdAt(until.getTime() + margin) } }]),
  ];
  return conditions.length === 0 ? {} : { AND: conditions };
}

/** The lowest id of this time. */
function firstIdAt(time: number): string {
  const hex = Math.max(0, time).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** What is sought by words and by the keys of products, if either is. */
export function soughtBy(
  text: string | null | undefined,
  productKeys?: readonly string[] | null,
): { sought?: object } {
  const conditions = [
    ...(text == null ? [] : [{ words: { begin: text } }]),
    ...(productKeys == null ? [] : [{ product: { key: { in: productKeys } } }]),
  ];
  return conditions.length === 0 ? {} : { sought: { AND: conditions } };
}
