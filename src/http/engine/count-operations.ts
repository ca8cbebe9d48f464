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
    onExecute({ args: { contextValue } }) {
      const { operation } = contextValue;
      return {
        onExecuteDone({ result }) {
          const { name } = operation;
          const seconds = (performance.now() - operation.startedAt) / 1_000;
          const outcome = outcomeOf(result);
          metrics.operationAnswered(name, outcome, seconds);
          if (outcome === 'OK' && name.field.startsWith('revokeDataAccess'))
            metrics.revoked('committed', seconds);
        },
      };
    },
    onSubscribe({ args: { contextValue } }) {
      const { operation } = contextValue;
      return {
        onSubscribeResult({ result }) {
          const seconds = (performance.now() - operation.startedAt) / 1_000;
          metrics.operationAnswered(operation.name, outcomeOf(result), seconds);
        },
      };
    },
  };
}

function outcomeOf(result: unknown): string {
  if (typeof result !== 'object' || result === null || !('errors' in result)) return 'OK';
  const [error] = Array.isArray(result.errors) ? result.errors : [];
  if (error === undefined) return 'OK';
  const code: unknown = error.extensions?.code;
  return typeof code === 'string' ? code : 'FAILED';
}
