/** Reads objects by global id, with the same visibility conditions as lists. One statement for each type. */
import { brandWithType } from '@pothos/core';
import { queryFromInfo } from '@pothos/plugin-prisma';
import { type GraphQLResolveInfo, isObjectType } from 'graphql';
import type { ShownEntry } from '../authorization/logs-read.ts';
import { isId } from '../platform/ids.ts';
import { type Context, viewerOf } from './context.ts';
import { badUserInput } from './errors.ts';
import { recordLookUp } from './record-reading.ts';
import { listVisibleRows } from './visible-rows.ts';

const maxNodes = 100;

export async function loadNodes(
  context: Context,
  info: GraphQLResolveInfo,
  ids: readonly { typename: string; id: string }[],
): Promise<(object | null)[]> {
  if (ids.length > maxNodes) throw badUserInput(`nodes takes at most ${maxNodes} ids.`);
  const wanted = Map.groupBy(
    ids.filter(({ id }) => isId(id)),
    ({ typename }) => typename,
  );
  const found = new Map<string, object>();
  for (const [typename, ofType] of wanted) {
    if (!isNodeType(info, typename)) continue;
    const query = queryFromInfo({ context, info, typeName: typename, include: {} });
    const { prisma } = context.services.database;
    const rows = await listVisibleRows(prisma, viewerOf(context), typename, {
      ids: ofType.map(({ id }) => id),
      query,
    });
    if (typename === 'AuditEntry') await recordLookUp(context, rows as unknown as ShownEntry[]);
    for (const row of rows) {
      brandWithType(row, typename as never);
      found.set(`${typename}:${row.id}`, row);
    }
  }
  return ids.map(({ typename, id }) => found.get(`${typename}:${id}`) ?? null);
}

/**
 * Whether the schema has a node type of this name. A client may put any name into an id, and `queryFromInfo` throws
 * for an unknown one.
 */
function isNodeType({ schema }: GraphQLResolveInfo, name: string): boolean {
  const type = schema.getType(name);
  return isObjectType(type) && type.getInterfaces().some((one) => one.name === 'Node');
}
