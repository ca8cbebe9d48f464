/**
 * Prints the files that clients are built with: the sorted schema, and the possible types of its interfaces and
 * unions.
 */
import { type GraphQLSchema, isAbstractType, lexicographicSortSchema, printSchema } from 'graphql';

/** Returns the contents of the committed files by path. */
export function committedFiles(schema: GraphQLSchema): Record<string, string> {
  const sorted = lexicographicSortSchema(schema);
  // The names of the types of each interface and union, in the format of Apollo Client's InMemoryCache.
  const possibleTypes = Object.values(sorted.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, sorted.getPossibleTypes(type).map(({ name }) => name)]);
  return {
    'schema/schema.graphql': `${printSchema(sorted)}\n`,
    'schema/possible-types.json': `${JSON.stringify(Object.fromEntries(possibleTypes), null, 2)}\n`,
  };
}
