import { type DocumentNode, type GraphQLSchema, getOperationAST, Kind } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Metrics } from '../../metrics/metrics.ts';
import type { EngineContext } from '../running-operation.ts';

/** Counts operations by the field of the schema that they ask for: what clients name them is not bounded. */
export function countOperations(metrics: Metrics): Plugin<EngineContext> {
  return {
    onValidate() {
      return ({ valid, result }) => {
        if (!valid) metrics.refused(String(result[0]?.extensions['code'] ?? 'GRAPHQL_VALIDATION_FAILED'));
      };
    },
    onExecute({ args: { document, operationName, schema, contextValue } }) {
      const { operation } = contextValue;
      return {
        onExecuteDone({ result }) {
          const named = nameOf(schema, document, operationName);
          const seconds = (performance.now() - operation.startedAt) / 1_000;
          const outcome = outcomeOf(result);
          metrics.operationAnswered(named, outcome, seconds);
          if (outcome === 'OK' && named.field.startsWith('revokeDataAccess'))
            metrics.revoked('committed', seconds);
        },
      };
    },
    onSubscribe({ args: { document, operationName, schema, contextValue } }) {
      const { operation } = contextValue;
      return {
        onSubscribeResult({ result }) {
          const seconds = (performance.now() - operation.startedAt) / 1_000;
          metrics.operationAnswered(nameOf(schema, document, operationName), outcomeOf(result), seconds);
        },
      };
    },
  };
}

/** The root field of an operation, `several`, or `other` if it only spreads fragments. */
export function nameOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
): { field: string; type: string } {
  const operation = getOperationAST(document, operationName);
  if (operation == null) return { field: 'other', type: 'other' };
  const { operation: type, selectionSet } = operation;
  const fields = schema.getRootType(type)?.getFields() ?? {};
  const names = new Set(
    selectionSet.selections.map((selection) =>
      selection.kind === Kind.FIELD ? selection.name.value : 'other',
    ),
  );
  names.delete('__typename');
  const [field = 'other'] = names;
  if (names.size > 1) return { field: 'several', type };
  return { field: field in fields || field.startsWith('__') ? field : 'other', type };
}

function outcomeOf(result: unknown): string {
  if (typeof result !== 'object' || result === null || !('errors' in result)) return 'OK';
  const [error] = Array.isArray(result.errors) ? result.errors : [];
  if (error === undefined) return 'OK';
  const code: unknown = error.extensions?.code;
  return typeof code === 'string' ? code : 'FAILED';
}
