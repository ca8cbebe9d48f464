/** Does the work for every item, so many at a time; answers in the order of the items. */
export async function inLanes<Item, Result>(
  width: number,
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const lanes = Array.from({ length: width }, async () => {
    for (const [at, item] of queue) results[at] = await work(item, at);
  });
  await Promise.all(lanes);
  return results;
}
