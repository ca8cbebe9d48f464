import type { Plugin } from 'graphql-yoga';
import { noSource, type RequestSource } from '../../platform/request-source.ts';
import type { EngineContext } from '../running-operation.ts';

/** Which request each error came from that an operation ended with, since the error masker gets only the errors. */
export class SourcesOfErrors {
  readonly #known = new WeakMap<object, RequestSource>();

  of(error: unknown): RequestSource {
    return (isObject(error) ? this.#known.get(error) : undefined) ?? noSource;
  }

  /** Settles as the work does. */
  async during<T>(work: Promise<T>, source: RequestSource): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#note(error, source);
      throw error;
    }
  }

  /** Notes the errors of every result that is not a stream. Has to come before the plugin that masks them. */
  plugin(): Plugin<EngineContext> {
    return {
      onExecute: ({ args: { contextValue } }) => ({
        onExecuteDone: ({ result }) => {
          if (!('errors' in result)) return;
          for (const error of result.errors ?? []) this.#note(error, contextValue.operation.source);
        },
      }),
    };
  }

  #note(error: unknown, source: RequestSource): void {
    if (isObject(error)) this.#known.set(error, source);
  }
}

function isObject(error: unknown): error is object {
  return typeof error === 'object' && error !== null;
}
