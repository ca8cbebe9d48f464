/**
 * Prints the files that clients are built with: the sorted schema, the possible types of its interfaces and unions, and the
 * schema of the records of the audit log.
 */
import { type GraphQLSchema, isAbstractType, lexicographicSortSchema, printSchema } from 'graphql';
import { recordJsonSchema } from '../audit/record-schema.ts';

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
    'docs/audit-record.schema.json': `${JSON.stringify(recordJsonSchema(), null, 2)}\n`,
  };
}
