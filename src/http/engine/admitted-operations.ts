import { type DocumentNode, Kind } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { EngineContext, OperationInfo, RunningOperation } from '../running-operation.ts';

/**
 * Creates the context that resolvers get, once for each operation. A plain object: yoga copies its properties. The
 * operation has to be answered by the moment `answerBy`, on the clock of `performance.now()`.
 */
export type CreateContext = (operation: OperationInfo, answerBy: number) => object | Promise<object>;

/** Tells each operation that was admitted what its document is, which decides its lane. */
export function readLanes(): Plugin<EngineContext> {
  return {
    onParse:
      ({ context }) =>
      ({ result }) => {
        const { operation }: Partial<EngineContext> = context;
        if (operation?.place !== undefined && isDocument(result)) operation.place.document = result;
      },
  };
}

function isDocument(result: DocumentNode | Error | null): result is DocumentNode {
  return result !== null && 'kind' in result && result.kind === Kind.DOCUMENT;
}

/** Waits for the operation's turn, and creates its context. */
export async function createInTurn(
  create: CreateContext,
  operation: RunningOperation,
  answerBy: number,
): Promise<object> {
  const { place } = operation;
  if (place === undefined) return await create(operation, answerBy);
  await place.start();
  return await place.during(create(operation, answerBy));
}
