/** The tokens of JSON that have a meaning for its structure. In valid JSON nothing else looks like them. */
const structure = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/** The members of an object that were seen so far; null for an array. */
type Level = Set<string> | null;

/**
 * What two readers of this text could take for different values, as a sentence; null if there is nothing: a member
 * that occurs twice in one object, characters that are no Unicode text, more than `maxDepth` levels (I-JSON, RFC 7493).
 * `JSON.parse` takes the last of two members, another reader the first, and a question must mean the same to the
 * program that sends it, to every program that checks it on its way, and here.
 *
 * @param text valid JSON
 */
export function findAmbiguity(text: string, maxDepth: number): string | null {
  const levels: Level[] = [];
  let awaitsName = false;
  for (const [token] of text.matchAll(structure)) {
    if (token.startsWith('"')) {
      const value = unescaped(token);
      if (value === null) return 'A string has a NUL character or half of a surrogate pair.';
      if (awaitsName && isSecond(levels.at(-1), value))
        return `The member ${JSON.stringify(value.slice(0, 50))} occurs twice in one object.`;
      awaitsName = false;
    } else if (token === '{' || token === '[') {
      if (levels.push(token === '{' ? new Set() : null) > maxDepth)
        return `The body has more than ${maxDepth} levels.`;
      awaitsName = token === '{';
    } else if (token === '}' || token === ']') {
      levels.pop();
    } else if (token === ',') {
      awaitsName = levels.at(-1) !== null;
    }
  }
  return null;
}

/** The value of a string, or null if it is no text that every program can keep. */
function unescaped(token: string): string | null {
  if (!token.includes('\\')) return token.slice(1, -1);
  const value: string = JSON.parse(token);
  return value.isWellFormed() && !value.includes('\0') ? value : null;
}

/** Adds the name, and tells whether it was there. */
function isSecond(members: Level | undefined, name: string): boolean {
  const known = members?.has(name) === true;
  members?.add(name);
  return known;
}
