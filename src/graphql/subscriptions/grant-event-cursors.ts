import { OtherFilterCursorError } from '../../events/errors.ts';
import type { Cursors } from '../../events/event-cursor.ts';
import type { Position } from '../../events/position.ts';
import { type Context, viewerOf } from '../context.ts';
import type { GrantEventFilter } from './grant-event.ts';

/** Encodes and decodes the cursors of one subscription. A cursor leads to a position, or to the current state. */
export class GrantEventCursors {
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #events: Cursors;
  #state: Cursors | undefined;

  constructor(context: Context, filter: GrantEventFilter) {
    this.#context = context;
    this.#filter = filter;
    this.#events = this.#cursorsOf('grantEvents');
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
    this.#state ??= this.#cursorsOf('grantEvents from the current state');
    return this.#state;
  }

  #cursorsOf(stream: string): Cursors {
    const { services } = this.#context;
    return services.cursors({ viewerId: viewerOf(this.#context).id, stream, filter: this.#filter });
  }
}
