/**
 * What a line of a file says of the entries that were removed before those of the file: up to which position, and the hashes of the
 * tree over them, level by level as at its right edge. So the head proves what follows, and that nothing is missing between.
 */
export type RemovedLine = { readonly through: number; readonly hashes: readonly string[] };
