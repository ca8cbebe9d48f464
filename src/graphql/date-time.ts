/** The scalar of moments, which reads a day as its beginning in UTC. Only what takes days admits one: `isDay`. */
import { GraphQLScalarType, Kind } from 'graphql';
import { DateTimeISOResolver } from 'graphql-scalars';

const days = new WeakSet<Date>();

/** Whether the moment was given as a day. */
export function isDay(moment: Date): boolean {
  return days.has(moment);
}

export const DateTime = new GraphQLScalarType<Date, string>({
  ...DateTimeISOResolver.toConfig(),
  parseValue: (value) => dayFrom(value) ?? DateTimeISOResolver.parseValue(value),
  parseLiteral: (node, variables) =>
    (node.kind === Kind.STRING ? dayFrom(node.value) : null) ??
    DateTimeISOResolver.parseLiteral(node, variables),
});

function dayFrom(value: unknown): Date | null {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return null;
  const day = new Date(`${value}T00:00:00.000Z`);
  // The calendar has no 30th of February, which a Date takes for the 2nd of March.
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(value)) return null;
  days.add(day);
  return day;
}
