/** Whose operation it is, for what each of them may use. */
export type Share = {
  readonly account: string;
  /** The customer's; none for the vendor's own people, who share no limit. */
  readonly organizations: readonly string[];
};

export type FairQueueLimits = {
  /** How many may run at a time: of all, of one account, of one organization. */
  running: number;
  runningPerAccount: number;
  runningPerOrganization: number;
  /** How many may wait, whoever they belong to. */
  waiting: number;
  /** Milliseconds for which one may wait. */
  waitMs: number;
};

/** What waited for its turn and will not get one. */
export type NoTurn = 'QUEUE_FULL' | 'WAITED_TOO_LONG' | 'OVER';

type Waiting = { readonly share: Share; readonly settle: (outcome: 'TURN' | NoTurn) => void };

/**
 * Lets a bounded number run at a time. The accounts that wait take turns, so that one with a thousand waiting delays another
 * one's by a single turn.
 */
export class FairQueue {
  readonly #limits: FairQueueLimits;
  #running = 0;
  #waiting = 0;
  readonly #runningOf = new Map<string, number>();
  /** By account, in the order of their turns. */
  readonly #queues = new Map<string, Waiting[]>();

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Resolves to `TURN` when it may run, which `leave` must then end; or to the reason why it will not.
   * @param whenOver is given the function that takes it out of the queue
   */
  enter(share: Share, whenOver: (leave: () => void) => void): Promise<'TURN' | NoTurn> {
    if (!this.#queues.has(share.account) && this.#hasRoomFor(share)) {
      this.#begin(share);
      return Promise.resolve('TURN');
    }
    if (this.#waiting >= this.#limits.waiting) return Promise.resolve('QUEUE_FULL');
    const { promise, resolve } = Promise.withResolvers<'TURN' | NoTurn>();
    const late = setTimeout(() => this.#remove(one, 'WAITED_TOO_LONG'), this.#limits.waitMs);
    const one: Waiting = {
      share,
      settle: (outcome) => {
        clearTimeout(late);
        this.#waiting -= 1;
        resolve(outcome);
      },
    };
    const queue = this.#queues.get(share.account);
    if (queue === undefined) this.#queues.set(share.account, [one]);
    else queue.push(one);
    this.#waiting += 1;
    whenOver(() => this.#remove(one, 'OVER'));
    return promise;
  }

  /** Must be called once for each turn. */
  leave(share: Share): void {
    this.#count(share, -1);
    for (const [account, queue] of this.#queues) {
      if (this.#running >= this.#limits.running) return;
      const [next] = queue;
      if (next === undefined || !this.#hasRoomFor(next.share)) continue;
      queue.shift();
      // The account's next one waits behind those of the others.
      this.#queues.delete(account);
      if (queue.length > 0) this.#queues.set(account, queue);
      this.#begin(next.share);
      next.settle('TURN');
    }
  }

  #hasRoomFor({ account, organizations }: Share): boolean {
    const { running, runningPerAccount, runningPerOrganization } = this.#limits;
    const of = (key: string) => this.#runningOf.get(key) ?? 0;
    return (
      this.#running < running &&
      of(account) < runningPerAccount &&
      organizations.every((organization) => of(organization) < runningPerOrganization)
    );
  }

  #begin(share: Share): void {
    this.#count(share, 1);
  }

  #count({ account, organizations }: Share, by: 1 | -1): void {
    this.#running += by;
    for (const key of [account, ...organizations]) {
      const count = (this.#runningOf.get(key) ?? 0) + by;
      if (count === 0) this.#runningOf.delete(key);
      else this.#runningOf.set(key, count);
    }
  }

  #remove(one: Waiting, reason: NoTurn): void {
    const { account } = one.share;
    const queue = this.#queues.get(account);
    const at = queue?.indexOf(one) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.#queues.delete(account);
    one.settle(reason);
  }
}
