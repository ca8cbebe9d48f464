import { OtherFilterCursorError } from '../../events/errors.ts';
import type { Cursors } from '../../events/event-cursor.ts';
import type { Position } from '../../events/position.ts';
import { type Context, viewerOf } from '../context.ts';
import type { EventFilter } from './stream-kind.ts';

/** Encodes and decodes the cursors of one subscription. A cursor leads to a position, or to the current state. */
export class EventCursors {
  readonly #context: Context;
  readonly #name: string;
  readonly #filter: EventFilter;
  readonly #events: Cursors;
  #state: Cursors | undefined;

  /** @param name the subscription field */
  constructor(context: Context, name: string, filter: EventFilter) {
    this.#context = context;
    this.#name = name;
    this.#filter = filter;
    this.#events = this.#cursorsOf(name);
  }

  at(position: Position): string {
    return this.#events.encode(position);
  }

  toCurrentState(position: Position): string {
    return this.#ofState.encode(position);
  }

  read(cursor: string): Position | 'CURRENT_STATE' {
    try {
      return this.#events.decode(cursor);
    } catch (error) {
      if (!(error instanceof OtherFilterCursorError)) throw error;
      this.#ofState.decode(cursor);
      return 'CURRENT_STATE';
    }
  }

  get #ofState(): Cursors {
    this.#state ??= this.#cursorsOf(`${this.#name} from the current state`);
    return this.#state;
  }

  #cursorsOf(stream: string): Cursors {
    const { services } = this.#context;
    return services.cursors({ viewerId: viewerOf(this.#context).id, stream, filter: this.#filter });
  }
}
