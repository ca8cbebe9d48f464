import type { Plugin } from 'graphql-yoga';
import type { EngineContext } from '../running-operation.ts';
import { nameOf } from './operation-name.ts';

/**
 * Gives the steps of each operation spans within that of the operation: `parse` and `validate`, unless the document is known,
 * and `execute`. Comes after the plugins that replace how documents are parsed and validated.
 */
export function traceOperations(): Plugin<EngineContext> {
  return {
    onParse({ context, parseFn, setParseFn }) {
      const { operation }: Partial<EngineContext> = context;
      if (operation !== undefined)
        setParseFn((...given) => operation.within('parse', () => parseFn(...given)));
    },
    onValidate({ context, validateFn, setValidationFn }) {
      const { operation }: Partial<EngineContext> = context;
      if (operation !== undefined)
        setValidationFn((...given) => operation.within('validate', () => validateFn(...given)));
    },
    onExecute({ args: { schema, document, operationName, contextValue }, executeFn, setExecuteFn }) {
      const { operation } = contextValue;
      operation.named(nameOf(schema, document, operationName));
      setExecuteFn((args) => operation.within('execute', () => executeFn(args)));
    },
    onSubscribe({ args: { schema, document, operationName, contextValue } }) {
      contextValue.operation.named(nameOf(schema, document, operationName));
    },
  };
}
