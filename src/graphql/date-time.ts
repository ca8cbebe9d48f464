/**
 * The scalar of moments, which reads a day as its beginning in UTC. Only what takes days admits one: `isDay`. What is finer than
 * a millisecond is cut off; where it matters, `upToMillisecond` says so.
 */
import { GraphQLScalarType, Kind } from 'graphql';
import { DateTimeISOResolver } from 'graphql-scalars';

const days = new WeakSet<Date>();

/** Whether the moment was given as a day. */
export function isDay(moment: Date): boolean {
  return days.has(moment);
}

const cutOff = new WeakSet<Date>();

/**
 * The first moment of whole milliseconds that is not before the given one. The times of rows are of whole milliseconds: one
 * is at or after this moment exactly if it is at or after the given one, to the microsecond.
 */
export function upToMillisecond(moment: Date): Date {
  return cutOff.has(moment) ? new Date(moment.getTime() + 1) : moment;
}

export const DateTime = new GraphQLScalarType<Date, string>({
  ...DateTimeISOResolver.toConfig(),
  parseValue: (value) => dayFrom(value) ?? withCutOff(value, DateTimeISOResolver.parseValue(value)),
  parseLiteral: (node, variables) => {
    const text = node.kind === Kind.STRING ? node.value : null;
    return dayFrom(text) ?? withCutOff(text, DateTimeISOResolver.parseLiteral(node, variables));
  },
});

function withCutOff(text: unknown, moment: Date): Date {
  if (typeof text === 'string' && /\.\d{3}\d*[1-9]/.test(text)) cutOff.add(moment);
  return moment;
}

function dayFrom(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return null;
  const day = new Date(`${value}T00:00:00.000Z`);
  // The calendar has no 30th of February, which a Date takes for the 2nd of March.
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(value)) return null;
  days.add(day);
  return day;
}
