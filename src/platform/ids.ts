import { v7, validate, version } from 'uuid';

/** A new UUIDv7: unique, and ordered by the time it was made, so that lists page by id alone. */
export function newId(): string {
  return v7();
}

/** Whether a text is a UUIDv7 in canonical form, the only form an id of Latchkey has. */
export function isId(text: string): boolean {
  return validate(text) && version(text) === 7 && text === text.toLowerCase();
}
