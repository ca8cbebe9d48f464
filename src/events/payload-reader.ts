/**
 * Reads a stored payload field by field, without intermediate copies: every gateway reads every event of the stream
 * this way. Each function throws an InvalidPayloadError that names the field if its value is not valid.
 */

export class InvalidPayloadError extends Error {
  override readonly name = 'InvalidPayloadError';
}

/** Fields by name, not yet validated. */
export type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(from: Fields, name: string): Fields {
  const value = from[name];
  return isObject(value) ? value : invalid(name, 'an object');
}

export function string(from: Fields, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : invalid(name, 'a string');
}

export function strings(from: Fields, name: string): string[] {
  return each(from, name, (value) =>
    typeof value === 'string' ? value : invalid(name, 'a list of strings'),
  );
}

export function uuid(from: Fields, name: string): string {
  const value = from[name];
  return isUuid(value) ? value : invalid(name, 'a UUID');
}

export function uuids(from: Fields, name: string): string[] {
  return each(from, name, (value) => (isUuid(value) ? value : invalid(name, 'a list of UUIDs')));
}

/** A date as `JSON.stringify` writes it. */
export function timestamp(from: Fields, name: string): Date {
  const value = from[name];
  const date = typeof value === 'string' && isoTimestamp.test(value) ? new Date(value) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? invalid(name, 'a timestamp') : date;
}

export function boolean(from: Fields, name: string): boolean {
  const value = from[name];
  return typeof value === 'boolean' ? value : invalid(name, 'true or false');
}

/** An integer of 1 or more. */
export function positiveInteger(from: Fields, name: string): number {
  const value = from[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? value
    : invalid(name, 'a positive integer');
}

/** A value of an enumeration. */
export function oneOf<Value extends string>(
  values: Readonly<Record<string, Value>>,
  from: Fields,
  name: string,
): Value {
  const value = from[name];
  const known = typeof value === 'string' && Object.hasOwn(values, value) ? values[value] : undefined;
  return known ?? invalid(name, `one of ${Object.keys(values).join(', ')}`);
}

/** Reads a field that may be null. A missing field is not null. */
export function nullable<Value>(
  read: (from: Fields, name: string) => Value,
  from: Fields,
  name: string,
): Value | null {
  return from[name] === null ? null : read(from, name);
}

/** Reads a field that may be null or missing: one that was added to the payload later. */
export function optional<Value>(
  read: (from: Fields, name: string) => Value,
  from: Fields,
  name: string,
): Value | null {
  return from[name] === undefined ? null : nullable(read, from, name);
}

/** Reads a field that was added to the payload later: where it is missing, what it was `before`. */
export function added<Value>(
  read: (from: Fields, name: string) => Value,
  from: Fields,
  name: string,
  before: Value,
): Value {
  return from[name] === undefined ? before : read(from, name);
}

function each<Value>(from: Fields, name: string, read: (value: unknown) => Value): Value[] {
  const value = from[name];
  return Array.isArray(value) ? value.map(read) : invalid(name, 'a list');
}

const uuidText = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const isoTimestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && uuidText.test(value);
}

function invalid(name: string, expected: string): never {
  throw new InvalidPayloadError(`${name} must be ${expected}`);
}
