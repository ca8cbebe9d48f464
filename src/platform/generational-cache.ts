/**
 * A cache for many short-lived entries: an entry stays until the cache has been rotated twice.
 *
 * A single Map whose oldest entries are deleted one by one would cost more. When a Map grows, V8 links its old hash
 * table to the new one. Once one of them is in the old generation, everything that was ever in the
 * later tables survives every garbage collection except a full one, and is copied twice on the way there.
 */
export class GenerationalCache<Key, Value> {
  #entries = new Map<Key, Value>();
  #previous = new Map<Key, Value>();

  /** Entries added since the last rotation. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key) ?? this.#previous.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
    this.#previous.delete(key);
  }

  /** Drops the entries added before the last rotation. */
  rotate(): void {
    this.#previous = this.#entries;
    this.#entries = new Map();
  }
}
