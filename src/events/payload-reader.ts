/**
 * Reads what was stored, fact by fact, without a copy of anything in between: every event of the stream comes
 * this way, in every gateway. What is not as it has to be is an IllegalFactError that names the fact.
 */

export class IllegalFactError extends Error {
  override readonly name = 'IllegalFactError';
}

/** Facts by their names, before anything is known of them. */
export type Facts = Readonly<Record<string, unknown>>;

export function isFacts(value: unknown): value is Facts {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function facts(from: Facts, name: string): Facts {
  const value = from[name];
  return isFacts(value) ? value : illegal(name, 'an object');
}

export function text(from: Facts, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : illegal(name, 'a text');
}

export function texts(from: Facts, name: string): string[] {
  return each(from, name, (value) => (typeof value === 'string' ? value : illegal(name, 'a list of texts')));
}

export function uuid(from: Facts, name: string): string {
  const value = from[name];
  return isUuid(value) ? value : illegal(name, 'a UUID');
}

export function uuids(from: Facts, name: string): string[] {
  return each(from, name, (value) => (isUuid(value) ? value : illegal(name, 'a list of UUIDs')));
}

/** A moment, as `JSON.stringify` writes it. */
export function moment(from: Facts, name: string): Date {
  const value = from[name];
  const date = typeof value === 'string' && isoMoment.test(value) ? new Date(value) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? illegal(name, 'a moment') : date;
}

/** A whole number from 1 on. */
export function count(from: Facts, name: string): number {
  const value = from[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? value
    : illegal(name, 'a whole number from 1 on');
}

/** One of an enumeration's values. */
export function oneOf<Value extends string>(
  values: Readonly<Record<string, Value>>,
  from: Facts,
  name: string,
): Value {
  const value = from[name];
  const known = typeof value === 'string' && Object.hasOwn(values, value) ? values[value] : undefined;
  return known ?? illegal(name, `one of ${Object.keys(values).join(', ')}`);
}

/** The same fact where it may be null; absent is not null. */
export function orNull<Value>(
  read: (from: Facts, name: string) => Value,
  from: Facts,
  name: string,
): Value | null {
  return from[name] === null ? null : read(from, name);
}

function each<Value>(from: Facts, name: string, read: (value: unknown) => Value): Value[] {
  const value = from[name];
  return Array.isArray(value) ? value.map(read) : illegal(name, 'a list');
}

const uuidText = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const isoMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && uuidText.test(value);
}

function illegal(name: string, expected: string): never {
  throw new IllegalFactError(`${name} must be ${expected}`);
}
