import type { DocumentNode } from 'graphql';
import type { NoTurn } from './fair-queue.ts';
import type { Account, Lane, Turn } from './lane.ts';
import { laneOf } from './lane-of.ts';
import { noTurn, type Refused, refusedError } from './refusal.ts';

/** What a place uses of the gateway's budgets. */
export type Budgets = {
  take(lane: Lane): Promise<Refused | null>;
  giveBack(lane: Lane): void;
  enter(turn: Turn, whenOver: (leave: () => void) => void): Promise<'TURN' | NoTurn>;
  leave(turn: Turn): void;
  identify(account: Account): void;
};

/** One operation that was admitted: in flight until its `end`, and with a turn from `start` until its work is done. */
export class Place {
  /** By its text before its document is read, and then by its document. */
  lane: Lane;
  /** Once it is parsed. */
  document: DocumentNode | undefined;
  readonly operationName: string | null;
  readonly #budgets: Budgets;
  #isInFlight = true;
  #turn: Turn | null = null;
  #isOver = false;
  /** Work that runs, also after the end: it uses the database until it is done. */
  #running = 0;
  #leaveQueue: (() => void) | undefined;

  constructor(lane: Lane, operationName: string | null, budgets: Budgets) {
    this.lane = lane;
    this.operationName = operationName;
    this.#budgets = budgets;
  }

  /**
   * Resolves when it is its turn.
   * @throws GraphQLError 429
   */
  async start(): Promise<void> {
    if (this.document !== undefined && this.lane === 'ENDING') await this.#correct(this.document);
    await this.#enter(this.lane);
  }

  /**
   * Gives its turn up and resolves when it is its turn among the operations that may return many objects, unless it ends
   * access: that never waits behind others' reads.
   * @throws GraphQLError 429
   */
  async startAsLarge(): Promise<void> {
    if (this.#turn !== 'ORDINARY') return;
    this.#leave();
    await this.#enter('LARGE');
  }

  /** Settles as `work` does. Until then it keeps its turn, even if the operation is over before. */
  async during<T>(work: T | PromiseLike<T>): Promise<T> {
    this.#running += 1;
    try {
      return await work;
    } finally {
      this.#running -= 1;
      this.#leaveOnceDone();
    }
  }

  identify(account: Account): void {
    this.#budgets.identify(account);
  }

  /** The operation is over, or streams. Calls after the first have no effect. */
  end(): void {
    this.#isOver = true;
    if (this.#isInFlight) this.#budgets.giveBack(this.lane);
    this.#isInFlight = false;
    this.#leaveQueue?.();
    this.#leaveOnceDone();
  }

  async #enter(turn: Turn): Promise<void> {
    const outcome = this.#isOver
      ? 'OVER'
      : await this.#budgets.enter(turn, (leave) => {
          this.#leaveQueue = leave;
        });
    this.#leaveQueue = undefined;
    if (outcome !== 'TURN') throw refusedError(noTurn);
    this.#turn = turn;
    this.#leaveOnceDone();
    if (this.#isOver) throw refusedError(noTurn);
  }

  /** The text named what ends access, and the document does something else. */
  async #correct(document: DocumentNode): Promise<void> {
    const lane = laneOf(document, this.operationName);
    if (lane === this.lane || !this.#isInFlight) return;
    const refused = await this.#budgets.take(lane);
    if (refused !== null) throw refusedError(refused);
    if (this.#isInFlight) this.#budgets.giveBack(this.lane);
    else this.#budgets.giveBack(lane);
    this.lane = lane;
  }

  #leaveOnceDone(): void {
    if (this.#isOver && this.#running === 0) this.#leave();
  }

  #leave(): void {
    if (this.#turn === null) return;
    const turn = this.#turn;
    this.#turn = null;
    this.#budgets.leave(turn);
  }
}
