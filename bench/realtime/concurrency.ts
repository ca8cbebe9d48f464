/** Runs the work for every item, `width` at a time; returns the results in the order of the items. */
export async function mapConcurrently<Item, Result>(
  width: number,
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const workers = Array.from({ length: width }, async () => {
    for (const [at, item] of queue) results[at] = await work(item, at);
  });
  await Promise.all(workers);
  return results;
}
