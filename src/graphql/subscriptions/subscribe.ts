/**
 * Carries out subscriptions so that identical work is done once: an event is resolved and written as text for
 * the first of a group of subscribers, and the others get the same text with their own cursor in it.
 *
 * Who hears an event has been decided, for each of them, before it comes here. A group are subscribers of one
 * document with the same variables, whose whole selection reads the same for everybody who hears the event.
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
import type { Take } from '../../events/feed.ts';
import { GenerationalCache } from '../../platform/generational-cache.ts';
import { type CompiledSelection, straightLineOf } from './compiled-selection.ts';
import { isOfTheEventItself, variablesOfGroup } from './viewer-independent-fields.ts';

/** An event on its way to one subscriber. */
export type Told<Facts extends object = object> = {
  /** What happened: the same object for everybody whom it is told. */
  readonly of: Facts;
  /** Where this subscriber goes on from. */
  readonly cursor: string;
};

/** What a subscription tells: one after the other, or all that comes to whoever takes it. */
export type ToldStream<Facts extends object = object> = AsyncIterableIterator<
  Told<Facts>,
  undefined,
  undefined
> & {
  /** Where it can hand on all by itself. Resolves at the end, or when `take` has had enough. */
  handTo?(take: Take<Told<Facts>>): Promise<unknown>;
  /** Whether what was told may be heard still, by the rights of the moment: asked after what takes time. */
  mayStillTell?(told: Told<Facts>): Promise<boolean>;
};

/** Takes a result that is text already; what it answers is waited for before the next. */
export type SendText = (result: string) => Promise<undefined> | undefined;

/** A result whose text is known. Whoever writes it asks `stringify`, where there is one. */
export type WrittenResult = ExecutionResult & { stringify?: () => string };

/**
 * As `subscribe` of graphql. With `sendText`, results of a group go there, and the stream holds only what has
 * to be told in another way: errors, and results of viewers of their own.
 */
export async function subscribe(
  args: ExecutionArgs,
  sendText?: SendText,
): Promise<AsyncIterableIterator<WrittenResult, undefined> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  return Symbol.asyncIterator in source ? new Results(source as ToldStream, args, sendText) : source;
}

class Results implements AsyncIterableIterator<WrittenResult, undefined> {
  readonly #told: ToldStream;
  readonly #args: ExecutionArgs;
  readonly #sendText: SendText | undefined;
  readonly #group: Group | null;
  #hasEnded = false;

  constructor(told: ToldStream, args: ExecutionArgs, sendText: SendText | undefined) {
    this.#told = told;
    this.#args = args;
    this.#sendText = sendText;
    this.#group = groupOf(args);
  }

  async next(): Promise<IteratorResult<WrittenResult, undefined>> {
    const result =
      this.#group === null || this.#sendText === undefined
        ? await this.#nextForItself(this.#group)
        : await this.#nextThatIsNoText(this.#group, this.#sendText);
    return result === undefined || this.#hasEnded
      ? { done: true, value: undefined }
      : { done: false, value: result };
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#hasEnded = true;
    await this.#told.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #nextForItself(group: Group | null): Promise<WrittenResult | undefined> {
    for (;;) {
      const { value: event, done } = await this.#told.next();
      if (done === true) return undefined;
      const result =
        group === null
          ? await execute({ ...this.#args, rootValue: event })
          : resultFor(await group.tell(event, this.#args), event);
      if (await this.#mayStillTell(event)) return result;
    }
  }

  /** Sends texts as they come, until something comes that is none. */
  async #nextThatIsNoText(group: Group, sendText: SendText): Promise<WrittenResult | undefined> {
    const found: WrittenResult[] = [];
    await handTo(this.#told, (event) => {
      const tell = (shared: SharedResult) => {
        if (this.#hasEnded) return 'ENOUGH';
        if (shared.texts !== null) return sendText(shared.texts.join(event.cursor));
        found.push(resultFor(shared, event));
        return 'ENOUGH';
      };
      const shared = group.tell(event, this.#args);
      if (!(shared instanceof Promise)) return tell(shared);
      return shared.then(async (known) => ((await this.#mayStillTell(event)) ? tell(known) : undefined));
    });
    return found[0];
  }

  async #mayStillTell(event: Told): Promise<boolean> {
    return (await this.#told.mayStillTell?.(event)) ?? true;
  }
}

async function handTo(told: ToldStream, take: Take<Told>): Promise<unknown> {
  if (told.handTo !== undefined) return await told.handTo(take);
  for (;;) {
    const { value, done } = await told.next();
    if (done === true || (await take(value)) === 'ENOUGH') return;
  }
}

/** Stands for the cursor in what a group shares. Nobody can put it into a text of theirs: nobody knows it. */
const cursorToCome = `cursor to come ${randomUUID()}`;

type SharedResult = {
  result: ExecutionResult;
  /** The text around each cursor; null when there are errors, which every transport words by itself. */
  texts: readonly string[] | null;
};

/** Milliseconds for which a result stands for others: what it tells of a ticket is as it is now. */
const freshFor = 250;

/** What stands for the others of a group, and since when. */
type Kept = { at: number; shared: SharedResult | Promise<SharedResult> };

class Group {
  readonly #kept = new GenerationalCache<object, Kept>();
  #turnedAt = 0;
  readonly #inStraightLine: CompiledSelection | null;

  constructor(inStraightLine: CompiledSelection | null) {
    this.#inStraightLine = inStraightLine;
  }

  /** What everybody in the group gets of an event, carried out for the first of them. */
  tell({ of }: Told, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const now = performance.now();
    if (now - this.#turnedAt >= freshFor) {
      this.#kept.turn();
      this.#turnedAt = now;
    }
    const known = this.#kept.get(of);
    if (known !== undefined && now - known.at < freshFor) return known.shared;
    const kept: Kept = { at: now, shared: this.#carryOut({ of, cursor: cursorToCome }, args) };
    this.#kept.set(of, kept);
    if (kept.shared instanceof Promise) {
      kept.shared.then(
        (shared) => {
          kept.shared = shared;
        },
        () => this.#kept.delete(of),
      );
    }
    return kept.shared;
  }

  #carryOut(told: Told, args: ExecutionArgs): SharedResult | Promise<SharedResult> {
    const data = this.#inStraightLine?.(told, args.contextValue);
    if (data !== undefined) return write({ data });
    const executed = execute({ ...args, rootValue: told });
    return executed instanceof Promise ? executed.then(write) : write(executed);
  }
}

function write(result: ExecutionResult): SharedResult {
  return { result, texts: result.errors === undefined ? JSON.stringify(result).split(cursorToCome) : null };
}

function resultFor({ result, texts }: SharedResult, { cursor }: Told): WrittenResult {
  const data =
    result.data &&
    Object.fromEntries(Object.entries(result.data).map(([k, v]) => [k, withCursor(v, cursor)]));
  return {
    ...result,
    ...(data == null ? {} : { data }),
    ...(texts === null ? {} : { stringify: () => texts.join(cursor) }),
  };
}

/** The event, with its cursor under whatever names it was asked for. */
function withCursor(event: unknown, cursor: string): unknown {
  if (typeof event !== 'object' || event === null) return event;
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [name, value === cursorToCome ? cursor : value]),
  );
}

type Operation = {
  variables: ReadonlySet<string> | null;
  inStraightLine: CompiledSelection | null;
  groups: Map<string, Group>;
};

/** By the document, which the parser's cache keeps one of for each text, and the operation's name in it. */
const operationsOfDocuments = new WeakMap<DocumentNode, Map<string, Operation>>();

/** More groups of one operation than this are not remembered: each further subscriber is a group of its own. */
const mostGroups = 64;

/** The group of a subscriber; null where results differ from viewer to viewer. */
function groupOf(args: ExecutionArgs): Group | null {
  const { variables, inStraightLine, groups } = operationOf(args);
  if (variables === null) return null;
  // What was not given is not the same as null: it may have a default.
  const given = [...variables].map((variable) => [variable, args.variableValues?.[variable]]);
  const key = JSON.stringify(Object.fromEntries(given));
  const group = groups.get(key) ?? new Group(inStraightLine);
  if (groups.size < mostGroups) groups.set(key, group);
  return group;
}

function operationOf({ schema, document, operationName }: ExecutionArgs): Operation {
  const operations = operationsOfDocuments.get(document) ?? new Map<string, Operation>();
  operationsOfDocuments.set(document, operations);
  const known = operations.get(operationName ?? '');
  if (known !== undefined) return known;
  const definition = getOperationAST(document, operationName);
  const variables = definition == null ? null : variablesOfGroup(schema, document, definition);
  const inStraightLine =
    definition == null || variables === null
      ? null
      : straightLineOf(schema, document, definition, isOfTheEventItself);
  const operation: Operation = { variables, inStraightLine, groups: new Map() };
  operations.set(operationName ?? '', operation);
  return operation;
}
