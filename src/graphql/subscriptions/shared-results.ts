/**
 * Results that are computed once for a group: an event is executed and serialized for the first subscriber, and the others
 * get the same text with their own cursor in it.
 */
import { randomUUID } from 'node:crypto';
import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import type { Delivery } from '../../events/subscriber.ts';
import { GenerationalCache } from '../../platform/generational-cache.ts';
import type { CompiledSelection } from '../compiled/selection.ts';

/** A result that may be serialized already: then transports write `stringify()` instead of serializing it again. */
export type SerializedResult = ExecutionResult & { stringify?: () => string };

/** Stands for the cursor in a shared result. It is random, so that no value in an event can contain it. */
const cursorPlaceholder = `cursor placeholder ${randomUUID()}`;

export type SharedResult = {
  result: ExecutionResult;
  /** The text around each cursor. Null if there are errors, since each transport serializes those in its own way. */
  texts: readonly string[] | null;
};

/** Milliseconds for which a result is shared: it contains values that may change, such as the ticket's. */
const freshFor = 250;

/** A group's result for one event, and when it was computed. */
type Cached = { at: number; shared: SharedResult | Promise<SharedResult> };

/** Subscribers whose selection is viewer-independent and equal. */
export class Group {
  readonly #cache = new GenerationalCache<object, Cached>();
  #rotatedAt = 0;
  readonly #compiled: CompiledSelection | null;

  constructor(compiled: CompiledSelection | null) {
    this.#compiled = compiled;
  }

  /** The group's result for an event: executed for the first subscriber, cached for the others. */
  resultOf(event: object, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const now = performance.now();
    if (now - this.#rotatedAt >= freshFor) {
      this.#cache.rotate();
      this.#rotatedAt = now;
    }
    const known = this.#cache.get(event);
    if (known !== undefined && now - known.at < freshFor) return known.shared;
    const cached: Cached = { at: now, shared: this.#execute({ event, cursor: cursorPlaceholder }, args) };
    this.#cache.set(event, cached);
    if (cached.shared instanceof Promise) {
      cached.shared.then(
        (shared) => {
          cached.shared = shared;
        },
        () => this.#cache.delete(event),
      );
    }
    return cached.shared;
  }

  #execute(delivery: Delivery<object>, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const data = this.#compiled?.(delivery, args.contextValue);
    if (data !== undefined) return serialize({ data });
    const executed = execute({ ...args, rootValue: delivery });
    return executed instanceof Promise ? executed.then(serialize) : serialize(executed);
  }
}

function serialize(result: ExecutionResult): SharedResult {
  return {
    result,
    texts: result.errors === undefined ? JSON.stringify(result).split(cursorPlaceholder) : null,
  };
}

/** The result for the subscriber with this cursor. */
export function resultFor({ result, texts }: SharedResult, cursor: string): SerializedResult {
  const data =
    result.data &&
    Object.fromEntries(Object.entries(result.data).map(([k, v]) => [k, withCursor(v, cursor)]));
  return {
    ...result,
    ...(data == null ? {} : { data }),
    ...(texts === null ? {} : { stringify: () => texts.join(cursor) }),
  };
}

/** The event with the cursor in place of the placeholder, under whichever response keys it was selected. */
function withCursor(event: unknown, cursor: string): unknown {
  if (typeof event !== 'object' || event === null) return event;
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [name, value === cursorPlaceholder ? cursor : value]),
  );
}
