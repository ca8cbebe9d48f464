import type { Context } from './context.ts';

/** Loads a node by type and id; null without an id, if it does not exist, or if the viewer may not see it. */
export async function nodeOf<Row>(
  { loaders }: Context,
  type: string,
  id: string | null,
): Promise<Row | null> {
  return id === null ? null : ((await loaders.visibleNodes.load({ type, id })) as Row | null);
}
