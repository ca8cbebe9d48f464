/**
 * Remembers for a while: an entry is there until the memory has been turned twice. For what passes through by
 * the thousand.
 *
 * A Map whose oldest entries are deleted one by one would do the same, and cost more than it shows. V8 ties
 * every table that a Map outgrows to the one that follows it: as soon as one has become old, all that was ever
 * in those after it outlives every garbage collection but a full one, and is copied twice on its way there.
 */
export class GenerationalCache<Key, Value> {
  #entries = new Map<Key, Value>();
  #before = new Map<Key, Value>();

  /** Entries since the last turn. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key) ?? this.#before.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
    this.#before.delete(key);
  }

  /** Forgets what was there before the last turn. */
  turn(): void {
    this.#before = this.#entries;
    this.#entries = new Map();
  }
}
