/** Prints what clients build on: the schema, sorted, and the possible types of its interfaces and unions. */
import { type GraphQLSchema, isAbstractType, lexicographicSortSchema, printSchema } from 'graphql';

/** The committed files, by their paths. */
export function committedFiles(schema: GraphQLSchema): Record<string, string> {
  const sorted = lexicographicSortSchema(schema);
  // By the name of an interface or a union, the names of its types: what InMemoryCache of Apollo Client takes.
  const possibleTypes = Object.values(sorted.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, sorted.getPossibleTypes(type).map(({ name }) => name)]);
  return {
    'schema/schema.graphql': `${printSchema(sorted)}\n`,
    'schema/possible-types.json': `${JSON.stringify(Object.fromEntries(possibleTypes), null, 2)}\n`,
  };
}
