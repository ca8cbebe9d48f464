import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';

/** An operation: its text, or a document from a code generator, which also has the types of result and variables. */
export type Document<Result, Variables> = string | TypedDocumentNode<Result, Variables>;

/** A subscription that can be resumed, because it has the variable `$after`. */
export type ResumableDocument<Result, Variables> =
  | string
  | (TypedDocumentNode<Result, Variables> & ('after' extends keyof Variables ? unknown : never));

const texts = new WeakMap<object, string>();

/** Returns the text of a document. The texts of parsed documents are cached. */
export function textOf(document: Document<unknown, never>): string {
  if (typeof document === 'string') return document;
  const known = texts.get(document);
  if (known !== undefined) return known;
  const text = print(document);
  texts.set(document, text);
  return text;
}
