/**
 * Runs subscriptions: executes each event for its subscriber, or takes the result that its group shares.
 *
 * Which subscribers receive an event has been decided, for each of them, before it arrives here. The right is checked
 * again after asynchronous work, and what depends on the viewer is read again if their rights have changed meanwhile. An event that cannot be executed because something is unavailable is not passed over:
 * it is tried again for as long as an outage may last, and nothing follows it before it is delivered.
 */
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
} from 'graphql';
import { untilAvailable } from '../../events/outage.ts';
import type { Delivery, EventSource, Subscriber } from '../../events/subscriber.ts';
import { originOf } from '../errors.ts';
import { type Group, resultFor, type SerializedResult, type SharedResult } from './shared-results.ts';
import { groupOf } from './subscriber-groups.ts';

/** The events of one subscription. The resolver `subscribe` of a subscription field returns one. */
export type SourceStream<Event extends object = object> = EventSource<Delivery<Event>> & {
  /** Whether the viewer may still receive the event, by the present rights. Called after asynchronous work. */
  mayStillReceive(event: Event): Promise<boolean>;
  /** The viewer's present rights, as a value that is another one after every change. */
  rights(): unknown;
  /** Graphql accepts nothing without it. It is never called. */
  [Symbol.asyncIterator](): AsyncIterator<never>;
};

/** Sends a serialized result. If it returns a promise, the next result is sent only when this has resolved. */
export type SendText = (result: string) => Promise<undefined> | undefined;

export type SubscribeOptions = {
  /** Whether an error means that something the gateway needs is unavailable. */
  isUnavailable(error: unknown): boolean;
  /** Milliseconds for which it may be unavailable before a subscription ends. */
  outage: number;
};

/**
 * As `subscribe` of graphql, but the results are pushed. With `sendText`, those of a group are sent through it, and only
 * the other results are pushed: those with errors, and those that differ from viewer to viewer.
 */
export type Subscribe = (
  args: ExecutionArgs,
  sendText?: SendText,
) => Promise<EventSource<SerializedResult> | ExecutionResult>;

export function createSubscribe(options: SubscribeOptions): Subscribe {
  return async (args, sendText) => {
    const source = await createSourceEventStream(args);
    return Symbol.asyncIterator in source
      ? new Execution(source as unknown as SourceStream, args, sendText, options)
      : source;
  };
}

class Execution implements EventSource<SerializedResult>, Subscriber<Delivery<object>> {
  readonly #source: SourceStream;
  readonly #args: ExecutionArgs;
  readonly #sendText: SendText | undefined;
  readonly #options: SubscribeOptions;
  readonly #group: Group | null;
  #subscriber: Subscriber<SerializedResult> | undefined;
  #hasEnded = false;

  constructor(
    source: SourceStream,
    args: ExecutionArgs,
    sendText: SendText | undefined,
    options: SubscribeOptions,
  ) {
    this.#source = source;
    this.#args = args;
    this.#sendText = sendText;
    this.#options = options;
    this.#group = groupOf(args);
  }

  start(subscriber: Subscriber<SerializedResult>): void {
    this.#subscriber = subscriber;
    this.#source.start(this);
  }

  end(): void {
    this.#hasEnded = true;
    this.#source.end();
  }

  onEnd(error?: Error): void {
    this.#hasEnded = true;
    this.#subscriber?.onEnd(error);
  }

  onEvent(delivery: Delivery<object>): Promise<void> | undefined {
    const shared = this.#group?.resultOf(delivery.event, this.#args);
    return shared === undefined || shared instanceof Promise || shared.texts === null
      ? this.#executeAndPass(delivery)
      : this.#pass(shared, delivery);
  }

  async #executeAndPass(delivery: Delivery<object>): Promise<void> {
    const { outage } = this.#options;
    const rights = this.#source.rights();
    const result = await untilAvailable(outage, () => this.#execute(delivery));
    if (result === undefined || !(await this.#source.mayStillReceive(delivery.event))) return;
    // What depends on the viewer may have been read with the rights that they had before.
    if (this.#group === null && this.#source.rights() !== rights) return await this.#executeAndPass(delivery);
    const [error] = result.result.errors ?? [];
    if (error !== undefined && result.result.data == null) throw error;
    await this.#pass(result, delivery);
  }

  /** Returns undefined if the subscription has ended. Rejects if something is unavailable. */
  async #execute(delivery: Delivery<object>): Promise<SharedResult | undefined> {
    if (this.#hasEnded) return undefined;
    const result =
      this.#group === null
        ? { result: await execute({ ...this.#args, rootValue: delivery }), texts: null }
        : await this.#group.resultOf(delivery.event, this.#args);
    const isUnavailable = (error: GraphQLError) => this.#options.isUnavailable(originOf(error));
    const unavailable = result.result.errors?.find(isUnavailable);
    if (unavailable !== undefined) throw unavailable;
    return result;
  }

  #pass(shared: SharedResult, { cursor }: Delivery<object>): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    return this.#sendText === undefined || shared.texts === null
      ? this.#subscriber?.onEvent(resultFor(shared, cursor))
      : this.#sendText(shared.texts.join(cursor));
  }
}
