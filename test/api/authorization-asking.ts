/** Asking a gateway what the authorization table says. */
import type { OperationName } from '../../src/authorization/operations.ts';
import type { Json, Person } from '../support/gateway.ts';

/** The rows of a table by name, each with its cells by column. */
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
  /** In the words of the table; the code itself for whatever the table has no word for. */
  cell: string;
  /** What keeps them from it, where that was told. */
  obstacles: string[];
  message: string;
};

/** What the mutation answers; for one in bulk, what it answers for the one thing it names. */
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

/** What the table says for the code of a refusal. */
export const cellOf: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: '401',
  FORBIDDEN: 'no',
  NOT_FOUND: '-',
  NOT_ELIGIBLE: 'why',
};

/** Asks for each, a few at a time: a gateway turns away what would have to wait for a connection for long. */
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
