/**
 * The case of ASCII letters. Identifiers are compared by these, never by `toLowerCase` and `toUpperCase`, which turn
 * other letters into ASCII ones: the KELVIN SIGN becomes `k`, the LONG S becomes `S`.
 */

/** The text with `A` to `Z` in lower case and everything else as it is. */
export function asciiLowerCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The text with `a` to `z` in upper case and everything else as it is. */
export function asciiUpperCase(text: string): string {
  return text.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** SQL for `asciiLowerCase`, whatever the collation of the database. `text` is an SQL expression of type text. */
export function asciiLowerCaseInSql(text: string): string {
  return `lower(${text} COLLATE "C")`;
}
