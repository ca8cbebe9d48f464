/** Documents that double with each of their fragments, on the schema of the server fixture. */

/** How a fragment selects the next one, twice; and the operation that selects the first one. */
export type Shape = { on: string; twice: (next: string) => string; operation: (first: string) => string };

const inItem = (first: string) => `{ items(first: 1) { nodes { ${first} } } }`;

export const shapes: Readonly<Record<string, Shape>> = {
  'fragments spread twice': { on: 'Item', twice: (next) => `${next} ${next}`, operation: inItem },
  'fields selected twice': {
    on: 'Item',
    twice: (next) => `parent { ${next} } parent { ${next} }`,
    operation: inItem,
  },
  'fields under two aliases': {
    on: 'Item',
    twice: (next) => `a: parent { ${next} } b: parent { ${next} }`,
    operation: inItem,
  },
  'fields under an alias that is the name of a meta field': {
    on: 'Item',
    twice: (next) => `parent { ${next} } __typename: parent { ${next} }`,
    operation: inItem,
  },
  'inline fragments': {
    on: 'Item',
    twice: (next) => `... on Item { ${next} } ... { ${next} }`,
    operation: inItem,
  },
  'fragments on the subscription type': {
    on: 'Subscription',
    twice: (next) => `${next} ${next}`,
    operation: (first) => `subscription { ${first} }`,
  },
  'fragments in an event of a subscription': {
    on: 'Numbered',
    twice: (next) => `${next} ${next}`,
    operation: (first) => `subscription { numbered { ${first} } }`,
  },
  'fragments on the mutation type': {
    on: 'Mutation',
    twice: (next) => `${next} ${next}`,
    operation: (first) => `mutation { ${first} }`,
  },
  'types of introspection': {
    on: '__Type',
    twice: (next) => `ofType { ${next} } ofType { ${next} }`,
    operation: (first) => `{ __type(name: "Item") { ${first} } }`,
  },
};

/** The field that the last fragment selects. */
const lastFields: Readonly<Record<string, string>> = {
  Item: 'id',
  Subscription: 'numbered { number }',
  Numbered: 'number',
  Mutation: 'add(to: 1)',
  __Type: 'name',
};

/** A document that expands to more than `2 ** times` selections. */
export function multiplied({ on, twice, operation }: Shape, times: number): string {
  const fragments = Array.from(
    { length: times },
    (_, at) => `fragment F${at} on ${on} { ${twice(`...F${at + 1}`)} }`,
  );
  const last = `fragment F${times} on ${on} { ${lastFields[on]} }`;
  return [operation('...F0'), ...fragments, last].join('\n');
}
