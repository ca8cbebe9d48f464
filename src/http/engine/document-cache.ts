import type { DocumentNode } from 'graphql';
import type { YogaServerOptions } from 'graphql-yoga';
import { SizeBoundedCache } from '../../platform/size-bounded-cache.ts';
import type { Limits } from '../limits.ts';

/** What a parsed document holds, measured: for each token, with nodes and places, and for the errors of validation. */
const bytesPerToken = 500;
const bytesOfErrors = 96 * 1024;

/**
 * Keeps parsed documents, and with each whether it is valid, up to a size. What is not GraphQL is not kept: it is refused
 * as quickly again.
 */
export function createDocumentCache({
  documentCacheBytes,
}: Limits): YogaServerOptions<object, object>['parserAndValidationCache'] {
  return {
    documentCache: new SizeBoundedCache<DocumentNode>(
      documentCacheBytes,
      (text, { tokenCount = 0 }) => 2 * text.length + bytesPerToken * tokenCount + bytesOfErrors,
    ),
    errorCache: { get: () => undefined, set: () => undefined },
  };
}
