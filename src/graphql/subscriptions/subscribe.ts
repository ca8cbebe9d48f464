/**
 * Runs subscriptions so that identical work is done once: an event is resolved and serialized for the first
 * subscriber of a group, and the others get the same text with their own cursor in it.
 *
 * Which subscribers receive an event has been decided, for each of them, before it arrives here. A group consists of
 * the subscribers of one document with the same variables, if every field of its selection has the same value for
 * every viewer who may receive the event.
 */
import { randomUUID } from 'node:crypto';
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  getOperationAST,
} from 'graphql';
import type { Consumer } from '../../events/feed.ts';
import { GenerationalCache } from '../../platform/generational-cache.ts';
import { type CompiledSelection, compileSelection } from './compiled-selection.ts';
import { isOfTheEventItself, variablesOfGroup } from './viewer-independent-fields.ts';

/** An event of a source stream, as the GraphQL specification calls it, for one subscriber. */
export type SourceEvent<Payload extends object = object> = {
  /** What happened: the same object for every subscriber. */
  readonly payload: Payload;
  /** Where this subscriber resumes. */
  readonly cursor: string;
};

/** The events of one subscription: pulled one by one, or pushed to a consumer. */
export type SourceStream<Payload extends object = object> = AsyncIterableIterator<
  SourceEvent<Payload>,
  undefined,
  undefined
> & {
  /** Pushes every event to the consumer. Resolves at the end of the stream, or when the consumer has stopped. */
  consume?(consumer: Consumer<SourceEvent<Payload>>): Promise<unknown>;
  /** Whether the viewer may still receive the event, by the present rights. Called after asynchronous work. */
  mayStillReceive?(event: SourceEvent<Payload>): Promise<boolean>;
};

/** Sends a serialized result. If it returns a promise, the next result is sent only when this has resolved. */
export type SendText = (result: string) => Promise<undefined> | undefined;

/** A result that may be serialized already: then transports write `stringify()` instead of serializing it again. */
export type SerializedResult = ExecutionResult & { stringify?: () => string };

/**
 * As `subscribe` of graphql. With `sendText`, a group's results are sent through it, and the returned stream contains
 * only the other results: those with errors, and those that differ from viewer to viewer.
 */
export async function subscribe(
  args: ExecutionArgs,
  sendText?: SendText,
): Promise<AsyncIterableIterator<SerializedResult, undefined> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  return Symbol.asyncIterator in source ? new ResponseStream(source as SourceStream, args, sendText) : source;
}

class ResponseStream implements AsyncIterableIterator<SerializedResult, undefined> {
  readonly #source: SourceStream;
  readonly #args: ExecutionArgs;
  readonly #sendText: SendText | undefined;
  readonly #group: Group | null;
  #hasEnded = false;

  constructor(source: SourceStream, args: ExecutionArgs, sendText: SendText | undefined) {
    this.#source = source;
    this.#args = args;
    this.#sendText = sendText;
    this.#group = groupOf(args);
  }

  async next(): Promise<IteratorResult<SerializedResult, undefined>> {
    const result =
      this.#group === null || this.#sendText === undefined
        ? await this.#nextPulled(this.#group)
        : await this.#nextUnsent(this.#group, this.#sendText);
    return result === undefined || this.#hasEnded
      ? { done: true, value: undefined }
      : { done: false, value: result };
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#hasEnded = true;
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #nextPulled(group: Group | null): Promise<SerializedResult | undefined> {
    for (;;) {
      const { value: event, done } = await this.#source.next();
      if (done === true) return undefined;
      const result =
        group === null
          ? await execute({ ...this.#args, rootValue: event })
          : resultFor(await group.resultOf(event, this.#args), event);
      if (await this.#mayStillReceive(event)) return result;
    }
  }

  /** Sends serialized results as they come. Returns the first result that cannot be sent so. */
  async #nextUnsent(group: Group, sendText: SendText): Promise<SerializedResult | undefined> {
    const unsent: SerializedResult[] = [];
    await consume(this.#source, (event) => {
      const send = (shared: SharedResult) => {
        if (this.#hasEnded) return 'STOP';
        if (shared.texts !== null) return sendText(shared.texts.join(event.cursor));
        unsent.push(resultFor(shared, event));
        return 'STOP';
      };
      const shared = group.resultOf(event, this.#args);
      if (!(shared instanceof Promise)) return send(shared);
      return shared.then(async (known) => ((await this.#mayStillReceive(event)) ? send(known) : undefined));
    });
    return unsent[0];
  }

  async #mayStillReceive(event: SourceEvent): Promise<boolean> {
    return (await this.#source.mayStillReceive?.(event)) ?? true;
  }
}

async function consume(source: SourceStream, consumer: Consumer<SourceEvent>): Promise<unknown> {
  if (source.consume !== undefined) return await source.consume(consumer);
  for (;;) {
    const { value, done } = await source.next();
    if (done === true || (await consumer(value)) === 'STOP') return;
  }
}

/** Stands for the cursor in a shared result. It is random, so that no value in an event can contain it. */
const cursorPlaceholder = `cursor placeholder ${randomUUID()}`;

type SharedResult = {
  result: ExecutionResult;
  /** The text around each cursor. Null if there are errors, since each transport serializes those in its own way. */
  texts: readonly string[] | null;
};

/** Milliseconds for which a result is shared: it contains values that may change, such as the ticket's. */
const freshFor = 250;

/** A group's result for one event, and when it was computed. */
type Cached = { at: number; shared: SharedResult | Promise<SharedResult> };

class Group {
  readonly #cache = new GenerationalCache<object, Cached>();
  #rotatedAt = 0;
  readonly #compiled: CompiledSelection | null;

  constructor(compiled: CompiledSelection | null) {
    this.#compiled = compiled;
  }

  /** The group's result for an event: executed for the first subscriber, cached for the others. */
  resultOf({ payload }: SourceEvent, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const now = performance.now();
    if (now - this.#rotatedAt >= freshFor) {
      this.#cache.rotate();
      this.#rotatedAt = now;
    }
    const known = this.#cache.get(payload);
    if (known !== undefined && now - known.at < freshFor) return known.shared;
    const cached: Cached = { at: now, shared: this.#execute({ payload, cursor: cursorPlaceholder }, args) };
    this.#cache.set(payload, cached);
    if (cached.shared instanceof Promise) {
      cached.shared.then(
        (shared) => {
          cached.shared = shared;
        },
        () => this.#cache.delete(payload),
      );
    }
    return cached.shared;
  }

  #execute(event: SourceEvent, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const data = this.#compiled?.(event, args.contextValue);
    if (data !== undefined) return serialize({ data });
    const executed = execute({ ...args, rootValue: event });
    return executed instanceof Promise ? executed.then(serialize) : serialize(executed);
  }
}

function serialize(result: ExecutionResult): SharedResult {
  return {
    result,
    texts: result.errors === undefined ? JSON.stringify(result).split(cursorPlaceholder) : null,
  };
}

function resultFor({ result, texts }: SharedResult, { cursor }: SourceEvent): SerializedResult {
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

type Operation = {
  variables: ReadonlySet<string> | null;
  compiled: CompiledSelection | null;
  groups: Map<string, Group>;
};

/** By document and operation name. The parser's cache keeps one document for each text. */
const operationsOfDocuments = new WeakMap<DocumentNode, Map<string, Operation>>();

/** Groups of one operation that are kept. Beyond that, each further subscriber is a group of its own. */
const maxGroups = 64;

/** The group of a subscriber. Null if results differ from viewer to viewer. */
function groupOf(args: ExecutionArgs): Group | null {
  const { variables, compiled, groups } = operationOf(args);
  if (variables === null) return null;
  // A variable that was not given is not the same as null: it may have a default.
  const given = [...variables].map((variable) => [variable, args.variableValues?.[variable]]);
  const key = JSON.stringify(Object.fromEntries(given));
  const group = groups.get(key) ?? new Group(compiled);
  if (groups.size < maxGroups) groups.set(key, group);
  return group;
}

function operationOf({ schema, document, operationName }: ExecutionArgs): Operation {
  const operations = operationsOfDocuments.get(document) ?? new Map<string, Operation>();
  operationsOfDocuments.set(document, operations);
  const known = operations.get(operationName ?? '');
  if (known !== undefined) return known;
  const definition = getOperationAST(document, operationName);
  const variables = definition == null ? null : variablesOfGroup(schema, document, definition);
  const compiled =
    definition == null || variables === null
      ? null
      : compileSelection(schema, document, definition, isOfTheEventItself);
  const operation: Operation = { variables, compiled, groups: new Map() };
  operations.set(operationName ?? '', operation);
  return operation;
}
