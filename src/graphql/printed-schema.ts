import { type GraphQLSchema, isAbstractType, lexicographicSortSchema, printSchema } from 'graphql';

/** The schema in the language of GraphQL, sorted: the text of `schema/schema.graphql`. */
export function printedSchema(schema: GraphQLSchema): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

/**
 * The object types of each interface and union, sorted: the text of `schema/possible-types.json`. Clients that
 * normalize without the schema need it to match fragments on interfaces, such as `... on Error`.
 */
export function printedPossibleTypes(schema: GraphQLSchema): string {
  const sorted = lexicographicSortSchema(schema);
  const possibleTypes = Object.values(sorted.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [
      type.name,
      sorted
        .getPossibleTypes(type)
        .map(({ name }) => name)
        .sort(),
    ]);
  return `${JSON.stringify(Object.fromEntries(possibleTypes), null, 2)}\n`;
}
