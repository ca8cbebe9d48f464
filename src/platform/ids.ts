import { v7, validate, version } from 'uuid';

/** Returns a new UUIDv7. UUIDv7s are ordered by creation time, so lists can be paginated by id alone. */
export function newId(): string {
  return v7();
}

/** Whether the text is a UUIDv7 in canonical form, as every id of Latchkey is. */
export function isId(text: string): boolean {
  return validate(text) && version(text) === 7 && text === text.toLowerCase();
}
