/** Reads authorization tables, and asks a gateway for the same answers. */
import type { OperationName } from '../../src/authorization/operations.ts';
import type { Json, Person } from '../support/gateway.ts';
import { fullSize } from '../support/size.ts';
import { drawSeeded } from './tenancy-documents.ts';

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

/**
 * The people who are asked for a row of a table. In a full run that is everybody. On an ordinary day it is every
 * column that may do it, and a random quarter of the others; of a column with several people, one of them.
 */
export function askedFor<Name extends string>(
  row: Readonly<Record<string, string>>,
  people: Readonly<Record<Name, Person[]>>,
  seed: number,
): [Name, Person[]][] {
  const everybody = Object.entries(people) as [Name, Person[]][];
  if (fullSize) return everybody;
  const draw = drawSeeded(seed);
  return everybody
    .filter(([name]) => draw.chance(25) || row[name] === 'yes')
    .map(([name, persons]) => {
      const from = draw.below(persons.length);
      return [name, [...persons.slice(from), ...persons.slice(0, from)].slice(0, 1)];
    });
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
