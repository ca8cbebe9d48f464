import { GraphQLObjectType, Kind, type OperationDefinitionNode, validate } from 'graphql';
import { expect, test } from 'vitest';
import * as operations from '../schema/generated/operations.ts';
import { schema } from '../src/graphql/schema.ts';

const documents = Object.values(operations).filter((document) =>
  document.definitions.some(({ kind }) => kind === Kind.OPERATION_DEFINITION),
);
const definitions = documents.flatMap((document) =>
  document.definitions.filter(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  ),
);

test('every operation of the schema has a document', () => {
  const offered = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
    .filter((type) => type instanceof GraphQLObjectType)
    .flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`));
  const written = definitions.flatMap(({ operation, selectionSet }) =>
    selectionSet.selections.flatMap((selection) =>
      selection.kind === Kind.FIELD
        ? [`${operation.charAt(0).toUpperCase()}${operation.slice(1)}.${selection.name.value}`]
        : [],
    ),
  );
  expect(offered.length).toBeGreaterThan(40);
  expect([...new Set(written)].sort()).toEqual(offered.sort());
});

test('the documents are valid for the current schema', () => {
  const wrong = documents.flatMap((document) => validate(schema, document).map((error) => error.message));
  expect(wrong).toEqual([]);
});
