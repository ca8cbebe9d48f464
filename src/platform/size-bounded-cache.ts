import { GenerationalCache } from './generational-cache.ts';

/** A cache of values by a text, which forgets the oldest ones so that what it holds stays within a size. */
export class SizeBoundedCache<Value> {
  readonly #entries = new GenerationalCache<string, Value>();
  readonly #maxSize: number;
  readonly #sizeOf: (key: string, value: Value) => number;
  /** Of the entries added since the last rotation, and of those that one rotation more will drop. */
  #size = 0;
  #previousSize = 0;

  /** @param sizeOf the size of an entry, which may be an estimate, in the unit of `maxSize` */
  constructor(maxSize: number, sizeOf: (key: string, value: Value) => number) {
    this.#maxSize = maxSize;
    this.#sizeOf = sizeOf;
  }

  /** At most `maxSize`. */
  get size(): number {
    return this.#size + this.#previousSize;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  /** Keeps the value, unless it alone takes more than half of the space. */
  set(key: string, value: Value): void {
    const size = this.#sizeOf(key, value);
    if (size > this.#maxSize / 2) return;
    if (this.#size + size > this.#maxSize / 2) {
      this.#entries.rotate();
      this.#previousSize = this.#size;
      this.#size = 0;
    }
    this.#entries.set(key, value);
    this.#size += size;
  }
}
