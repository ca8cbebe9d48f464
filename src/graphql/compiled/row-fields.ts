/**
 * What fields say of themselves, so that a query whose lists they are in can be compiled: as `extensions` of the field, beside
 * what Pothos keeps there of exposed columns and relations.
 */
import { type GraphQLField, type GraphQLObjectType, getNamedType, isObjectType } from 'graphql';
import type { Prisma } from '../../../prisma/generated/client/client.ts';
import type { RelatedWindow } from '../../platform/json-rows.ts';
import type { Context } from '../context.ts';
import type { PageArguments } from '../keyset-connection.ts';

type AnyField = GraphQLField<unknown, unknown>;

/** Of a field of the root or a look-up: it reads what `selectedRows` says; the list itself needs these columns. */
export type ReadsRows = { readonly columns: readonly string[] };

/** Of a connection to rows of a relation: which of them it reads, and how its page is made of them. */
export type RelatedPage = {
  readonly relation: string;
  readonly window: (args: PageArguments, context: Context) => RelatedWindow;
  readonly pageOf: (rows: never, args: PageArguments) => unknown;
};

/** The columns that a resolver looks at. Without them a field is taken to look at all. */
export const readsColumns = (columns: readonly string[]) => ({ extensions: { readsColumns: columns } });
export const readsRows = (readsRows: ReadsRows) => ({ extensions: { readsRows } });
export const relatedPage = (relatedPage: RelatedPage) => ({ extensions: { relatedPage } });

export const columnsReadBy = ({ extensions }: AnyField) =>
  extensions['readsColumns'] as readonly string[] | undefined;
export const rowsReadBy = ({ extensions }: AnyField) => extensions['readsRows'] as ReadsRows | undefined;
export const relatedPageOf = ({ extensions }: AnyField) =>
  extensions['relatedPage'] as RelatedPage | undefined;

/** The model whose rows are objects of this type. Undefined: it is not of one. */
export function modelOf(type: GraphQLObjectType): Prisma.ModelName | undefined {
  return type.extensions['pothosPrismaModel'] as Prisma.ModelName | undefined;
}

/** The column of a field that only shows it. */
export function exposedColumn({ extensions }: AnyField): string | undefined {
  return extensions['pothosExposedField'] as string | undefined;
}

/** The name of the relation of a field that only shows it. */
export function relationShownBy({ extensions }: AnyField): string | undefined {
  return (extensions['pothosPrismaRelationField'] as { name: string } | undefined)?.name;
}

/** Whether the field has scopes of its own, which only `execute` checks. */
export function hasScopes({ extensions }: AnyField): boolean {
  const options = extensions['pothosOptions'] as { authScopes?: unknown } | undefined;
  return options?.authScopes !== undefined;
}

/** Of a list of a relation: which of its rows it shows, whatever is asked. */
export type ShownRows = {
  readonly orderBy: { [column: string]: 'asc' | 'desc' }[];
  /** As Prisma's. */
  readonly take: number;
};

export const shownRows = (shownRows: ShownRows) => ({ extensions: { shownRows } });
export const rowsShownBy = ({ extensions }: AnyField) => extensions['shownRows'] as ShownRows | undefined;

/** The fields of a page, which has them at hand. */
const ofPages = ['edges', 'node', 'pageInfo'];

/**
 * Whether the resolver of a field is its author's alone: no plugin checks, loads or converts anything around it, and what it
 * returns, if that has fields of its own, is no row whose relations would have to be read for it.
 */
export function isPlain(field: AnyField): boolean {
  const { pothosResolveWrapped: isWrapped, pothosPrismaSelect: select } = field.extensions;
  if (field.args.length > 0 || isWrapped !== false || (select ?? false) !== false) return false;
  const target = getNamedType(field.type);
  return ofPages.includes(field.name) || !isObjectType(target) || modelOf(target) === undefined;
}
