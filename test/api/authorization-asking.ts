/** Reads authorization tables, and asks a gateway for the same answers. */
import type { OperationName } from '../../src/authorization/operations.ts';
import type { Json, Person } from '../support/gateway.ts';

/** Reads a table: its rows by name, each with its cells by column. */
export function readTable(text: string): Map<string, Map<string, string>> {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  const columns = words(head.split('|')[1] ?? '');
  return new Map(
    lines.map((line) => {
      const [name = '', cells = ''] = line.split('|');
      const row = words(cells);
      if (row.length !== columns.length) throw new Error(`${name.trim()} has ${row.length} cells`);
      return [name.trim(), new Map(columns.map((column, index) => [column, row[index] ?? '']))];
    }),
  );
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

export type Attempt = {
  /** The answer as a word of the table; the error code if the table has no word for it. */
  cell: string;
  /** The obstacles in the answer, if there are any. */
  obstacles: string[];
  message: string;
};

/** Runs the mutation and returns its answer; for a bulk mutation, the answer for the one grant that it names. */
export async function attempt(
  person: Person,
  name: OperationName,
  input: Record<string, unknown>,
): Promise<Attempt> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const inBulk = name.endsWith('InBulk');
  const error =
    '... on Error { code message ... on NotEligibleError { eligibility { obstacles { code } } } }';
  const selection = inBulk ? `... on BulkPayload { results { result { ${error} } } } ${error}` : error;
  const { data, errors } = await person.send(
    `mutation ($input: ${type}Input!) { result: ${name}(input: $input) { __typename ${selection} } }`,
    { input },
  );
  const refused: Json = errors[0]
    ? { code: errors[0].extensions['code'], message: errors[0].message }
    : inBulk && data.result.code === undefined
      ? data.result.results[0].result
      : data.result;
  const { code, message = '', eligibility } = refused;
  const found = eligibility?.obstacles.map((obstacle: Json) => obstacle.code) ?? [];
  return { cell: code === undefined ? 'yes' : (cellOf[code] ?? code), obstacles: found, message };
}

/** The word of the table for each error code. */
export const cellOf: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: '401',
  FORBIDDEN: 'no',
  NOT_FOUND: '-',
  NOT_ELIGIBLE: 'why',
};

/** Asks for each item, a few at a time: a gateway refuses requests that would wait long for a database connection. */
export async function forEach<Item, Answer>(
  items: readonly Item[],
  ask: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const waiting = items.entries();
  const answers: Answer[] = [];
  const work = async () => {
    for (const [index, item] of waiting) answers[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: 6 }, work));
  return answers;
}
