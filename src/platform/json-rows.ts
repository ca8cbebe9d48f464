/**
 * Rows, and the rows that belong to them, as one JSON value for each: what is selected and nothing else, in one statement.
 * Columns are named as in prisma/schema.prisma, and their values are what Prisma's client returns.
 */
import { Prisma } from '../../prisma/generated/client/client.ts';
import { getDatamodel } from '../../prisma/generated/pothos.ts';

/** What is read of rows of a model. */
export type RowSelection<Given> = {
  readonly model: string;
  readonly columns: readonly string[];
  readonly related: readonly Related<Given>[];
};

/** The rows to which a relation leads: one or null, or a list. */
export type Related<Given> = {
  /** Under which property the row has them. */
  readonly as: string;
  readonly relation: string;
  readonly selection: RowSelection<Given>;
  /** Which of the rows of a list are read: always the same ones, or by what the whole read is given. */
  readonly window?: RelatedWindow | ((given: Given) => RelatedWindow);
};

export type RelatedWindow = {
  /** Conditions on the rows of the table that is called `alias`. */
  readonly where?: (alias: string) => Prisma.Sql;
  readonly orderBy: readonly { readonly column: string; readonly direction: 'asc' | 'desc' }[];
  /** As Prisma's: of a negative number, the last ones. */
  readonly take: number;
};

/** How rows are read that have been selected. */
export type JsonRows = {
  /** The JSON of the row of the table that is called `r`. */
  readonly sql: Prisma.Sql;
  /** Returns the row, given what PostgreSQL returned. */
  readonly read: (json: unknown) => object;
};

type Field = ReturnType<typeof getDatamodel>['datamodel']['models'][string]['fields'][number];
type Read = (value: never) => unknown;

const { models } = getDatamodel().datamodel;
const irregular: Readonly<Record<string, string>> = { AuditEntry: 'audit_entries' };

/** The columns of a model, by their names. */
export function columnsOf(model: string): string[] {
  return fieldsOf(model).flatMap(({ kind, name }) => (kind === 'object' ? [] : name));
}

export function tableOf(model: string): string {
  return irregular[model] ?? `${columnName(model).replace(/^_/, '')}s`;
}

/**
 * Prepares how rows are read. Most selections are the same whatever they are given: those are prepared once.
 *
 * @throws Error for a list without a window, and for a type whose values JSON does not keep
 */
export function prepareJsonRows<Given>(selection: RowSelection<Given>): (given: Given) => JsonRows {
  const read = readerOf(selection) as JsonRows['read'];
  if (dependsOnGiven(selection)) return (given) => ({ sql: rowSql(selection, 'r', given), read });
  const always = { sql: Prisma.raw(rowSql(selection, 'r', undefined as Given).sql), read };
  return () => always;
}

function dependsOnGiven<Given>({ related }: RowSelection<Given>): boolean {
  return related.some(({ window, selection }) => typeof window === 'function' || dependsOnGiven(selection));
}

function rowSql<Given>({ model, columns, related }: RowSelection<Given>, alias: string, given: Given) {
  const items = [
    ...columns.map((name) => Prisma.raw(`${alias}.${columnName(name)}`)),
    ...related.map((one) => relatedSql(model, one, alias, given)),
  ];
  return Prisma.sql`json_build_array(${Prisma.join(items)})`;
}

function relatedSql<Given>(
  model: string,
  { relation, selection, window }: Related<Given>,
  from: string,
  given: Given,
): Prisma.Sql {
  const field = fieldOf(model, relation);
  // Each level has a name of its own: `r`, `r_`, `r__`.
  const alias = `${from}_`;
  const [table, item] = [Prisma.raw(`${tableOf(field.type)} AS ${alias}`), rowSql(selection, alias, given)];
  if (!field.isList) {
    const belongs = Prisma.raw(`${alias}.id = ${from}.${foreignKey(field)}`);
    return Prisma.sql`(SELECT ${item} FROM ${table} WHERE ${belongs})`;
  }
  if (window === undefined) throw new Error(`A list without a window: ${model}.${relation}`);
  const { where, orderBy, take } = typeof window === 'function' ? window(given) : window;
  const belongs = Prisma.raw(`${alias}.${foreignKey(inverseOf(model, field))} = ${from}.id`);
  const order = orderBy.map(
    ({ column, direction }) => `${alias}.${columnName(column)} ${take < 0 ? reversed[direction] : direction}`,
  );
  return Prisma.sql`(SELECT coalesce(json_agg(item), '[]') FROM (
    SELECT ${item} AS item FROM ${table} WHERE ${belongs}${where === undefined ? Prisma.empty : Prisma.sql` AND ${where(alias)}`}
     ORDER BY ${Prisma.raw(order.join(', '))} LIMIT ${Prisma.raw(String(Math.abs(take)))}) AS listed)`;
}

const reversed = { asc: 'desc', desc: 'asc' } as const;

/** The values of a row come in the order in which `rowSql` names them. */
function readerOf<Given>({ model, columns, related }: RowSelection<Given>): Read {
  const reads: { name: string; read: Read | null }[] = [
    ...columns.map((name) => ({ name, read: columnReader(fieldOf(model, name)) })),
    ...related.map((one) => ({ name: one.as, read: relatedReader(model, one) })),
  ];
  return (values: unknown[]) => {
    const row: Record<string, unknown> = {};
    let at = 0;
    for (const { name, read } of reads) {
      const value = values[at];
      row[name] = read === null || value === null ? value : read(value as never);
      at += 1;
    }
    return row;
  };
}

/** Null: JSON has the value as it is. */
function columnReader({ type, kind, isList }: Field): Read | null {
  if (kind === 'enum' || ['String', 'Int', 'Boolean', 'Json'].includes(type)) return null;
  if (type === 'DateTime' && !isList) return (text: string) => new Date(text);
  throw new Error(`JSON does not keep a value of this type: ${type}`);
}

function relatedReader<Given>(model: string, { relation, selection, window }: Related<Given>): Read {
  const read = readerOf(selection) as (values: unknown) => unknown;
  if (!fieldOf(model, relation).isList) return read;
  const isBackward = typeof window === 'object' && window.take < 0;
  return (list: unknown[]) => (isBackward ? list.map(read).reverse() : list.map(read));
}

function fieldsOf(model: string): readonly Field[] {
  const found = models[model];
  if (found === undefined) throw new Error(`There is no model ${model}`);
  return found.fields;
}

function fieldOf(model: string, name: string): Field {
  const field = fieldsOf(model).find((one) => one.name === name);
  if (field === undefined) throw new Error(`The model ${model} has no ${name}`);
  return field;
}

/** The field of the other model that leads back. */
function inverseOf(model: string, { type, relationName }: Field): Field {
  const inverse = fieldsOf(type).find((one) => one.relationName === relationName && one.type === model);
  if (inverse === undefined) throw new Error(`${type} has no relation to ${model}`);
  return inverse;
}

/** The column with the id of the other row, which is named after the relation. Further columns of a key repeat what that row says. */
function foreignKey({ name, relationFromFields }: Field): string {
  const column = `${name}Id`;
  if (relationFromFields?.includes(column) !== true) throw new Error(`No column has the id of ${name}`);
  return columnName(column);
}

function columnName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
