/** What a compiled query needs of the rows of a list or look-up: the columns and relations that its fields show. */
import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isListType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import {
  columnsOf,
  type JsonRows,
  prepareJsonRows,
  type Related,
  type RelatedWindow,
  type RowSelection,
} from '../../platform/json-rows.ts';
import type { Context } from '../context.ts';
import {
  columnsReadBy,
  exposedColumn,
  modelOf,
  relatedPageOf,
  relationShownBy,
  rowsReadBy,
  rowsShownBy,
} from './row-fields.ts';
import { NotCompilableError, type SelectionCompiler, type Variables } from './selection.ts';

/** What the rows of one request depend on. */
export type Given = { readonly context: Context; readonly variables: Variables };

/** The property of a row with what belongs to it. Each response key has its own, which is no column. */
export function propertyFor(key: string): string {
  return `@${key}`;
}

/**
 * Prepares to read the rows of a field of the root; null: the field reads its rows by itself.
 *
 * @throws NotCompilableError
 */
export function prepareRows(
  compiler: SelectionCompiler,
  field: GraphQLField<unknown, unknown>,
  selected: SelectionSetNode | undefined,
): ((given: Given) => JsonRows) | null {
  const reads = rowsReadBy(field);
  if (reads === undefined || selected === undefined) return null;
  const selection = rowsBelow(compiler, getNamedType(field.type) as GraphQLObjectType, selected);
  const columns = [...new Set([...reads.columns, ...selection.columns])];
  return prepareJsonRows({ ...selection, columns });
}

const known = new WeakMap<GraphQLResolveInfo, JsonRows>();

/** Says how a compiled query reads the rows of the field that is resolved with this. */
export function giveRows(info: GraphQLResolveInfo, rows: JsonRows): void {
  known.set(info, rows);
}

/** How the rows of the field are to be read. Undefined: its query is not compiled, and Pothos knows what it selects. */
export function selectedRows(info: GraphQLResolveInfo): JsonRows | undefined {
  return known.get(info);
}

/** The rows of an object, or of the nodes of a connection. */
function rowsBelow(
  compiler: SelectionCompiler,
  type: GraphQLObjectType,
  selected: SelectionSetNode,
): RowSelection<Given> {
  if (!type.name.endsWith('Connection')) return rowsOf(compiler, type, selected);
  const edge = below(compiler, type, selected, 'edges');
  const node = edge && below(compiler, edge.type, edge.selected, 'node');
  if (node !== null) return rowsOf(compiler, node.type, node.selected);
  const nodeType = objectTypeOf(objectTypeOf(type, 'edges'), 'node');
  return { model: requiredModel(nodeType), columns: ['id'], related: [] };
}

type Below = { type: GraphQLObjectType; selected: SelectionSetNode };

/** Where the selection has a field of this name. Null: nowhere. */
function below(
  compiler: SelectionCompiler,
  type: GraphQLObjectType,
  selected: SelectionSetNode,
  name: string,
): Below | null {
  const nodes = [...compiler.collectFields(selected).values()].filter((node) => node.name.value === name);
  if (nodes.length > 1) throw new NotCompilableError();
  const [node] = nodes;
  return node?.selectionSet === undefined
    ? null
    : { type: objectTypeOf(type, name), selected: node.selectionSet };
}

function objectTypeOf(type: GraphQLObjectType, name: string): GraphQLObjectType {
  const field = type.getFields()[name];
  const target = field === undefined ? undefined : getNamedType(field.type);
  if (!isObjectType(target)) throw new NotCompilableError();
  return target;
}

function requiredModel(type: GraphQLObjectType): string {
  const model = modelOf(type);
  if (model === undefined) throw new NotCompilableError();
  return model;
}

function rowsOf(
  compiler: SelectionCompiler,
  type: GraphQLObjectType,
  selected: SelectionSetNode,
): RowSelection<Given> {
  const model = requiredModel(type);
  const columns = new Set(['id']);
  const related: Related<Given>[] = [];
  for (const [key, { name, selectionSet, ...node }] of compiler.collectFields(selected)) {
    if (name.value === '__typename') continue;
    const field = type.getFields()[name.value];
    if (field === undefined) throw new NotCompilableError();
    const [relation, page] = [relationShownBy(field), relatedPageOf(field)];
    if (selectionSet !== undefined && (relation !== undefined || page !== undefined)) {
      const selection = rowsBelow(compiler, objectTypeOf(type, name.value), selectionSet);
      const args = ({ variables }: Given) =>
        getArgumentValues(field, { ...node, name, selectionSet }, { ...variables });
      const window =
        page === undefined ? windowOf(field) : (given: Given) => page.window(args(given), given.context);
      related.push({
        ...{ as: propertyFor(key), relation: page?.relation ?? relation ?? '', selection },
        ...(window === null ? {} : { window }),
      });
    } else for (const column of columnsFor(field, model)) columns.add(column);
  }
  return { model, columns: [...columns], related };
}

/** Null: it is no list. */
function windowOf(field: GraphQLField<unknown, unknown>): RelatedWindow | null {
  if (!isListType(getNullableType(field.type))) return null;
  const shown = rowsShownBy(field);
  if (shown === undefined) throw new NotCompilableError();
  const orderBy = shown.orderBy.flatMap((one) =>
    Object.entries(one).map(([column, direction]) => ({ column, direction })),
  );
  return { orderBy, take: shown.take };
}

function columnsFor(field: GraphQLField<unknown, unknown>, model: string): readonly string[] {
  const exposed = exposedColumn(field);
  if (exposed !== undefined) return [exposed];
  return field.name === 'id' ? [] : (columnsReadBy(field) ?? columnsOf(model));
}
