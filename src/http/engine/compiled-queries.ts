import type { GraphQLSchema } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { compiledQuery } from '../../graphql/compiled/query.ts';
import { type Context, settleViewer } from '../../graphql/context.ts';
import type { RunningOperation } from '../running-operation.ts';

/** Whether the operation is a query that is answered without `execute`. Only once its document is known to be valid. */
export function isCompiled(schema: GraphQLSchema, { place }: RunningOperation): boolean {
  const document = place?.document;
  return document !== undefined && compiledQuery(schema, document, place?.operationName) !== null;
}

/**
 * Answers the queries that can be compiled without `execute`, which needs to know the viewer. Comes before the plugins that
 * limit and trace execution.
 */
export function answerCompiled(): Plugin {
  return {
    onExecute({ args: { schema, document, operationName, contextValue }, executeFn, setExecuteFn }) {
      const query = compiledQuery(schema, document, operationName);
      if (query === null && (contextValue as object as Context).doubt === undefined) return;
      setExecuteFn(async (args) => {
        const result = await query?.run(args);
        if (result !== undefined) return result;
        await settleViewer(args.contextValue as Context);
        return await executeFn(args);
      });
    },
  };
}
