/**
 * Ends what is due on tickets, in batches, until nothing is left. A ticket that is locked, or that fails, holds up no other
 * one: it is passed over, and comes back.
 */
import type { AppendedEvents } from '../events/outbox.ts';
import type { Transaction } from '../platform/database.ts';
import { isStatementTimeout, isUnavailable } from '../platform/database-errors.ts';
import type { Dependencies } from './execute.ts';

/** What one transaction of a sweep has ended. */
export type Swept = { count: number; appended: AppendedEvents | null };

export type Sweep = {
  /**
   * Locks tickets on which something is due, as a command on a ticket does, and returns their ids, at most `limit`. Waits for
   * no lock: leaves out tickets that are locked, and those of `except`.
   */
  lockDue: (tx: Transaction, limit: number, except: readonly string[]) => Promise<string[]>;
  /** Ends what is due on these tickets, with its audit entries and events. */
  end: (tx: Transaction, ticketIds: readonly string[]) => Promise<Swept>;
};

export type SweepOptions = {
  /** Ends the sweep after the batch that it is at. */
  signal?: AbortSignal | undefined;
  /** What failed in earlier sweeps of the same kind. */
  failed?: FailedTickets;
  /** At most so many tickets in one transaction. */
  ticketsAtOnce?: number;
};

/** Tickets that failed, which are passed over for a while. */
export class FailedTickets {
  /** For so many milliseconds: not with every sweep, and its warning. */
  static readonly pauseMs = 60_000;
  readonly #until = new Map<string, number>();

  add(ticketId: string): void {
    this.#until.set(ticketId, performance.now() + FailedTickets.pauseMs);
  }

  ids(): string[] {
    for (const [id, until] of this.#until) if (until <= performance.now()) this.#until.delete(id);
    return [...this.#until.keys()];
  }
}

/** A sweep ends once so many have failed: something else is wrong then. */
const mostFailures = 20;

/**
 * Runs a sweep, and returns how many it ended. Several gateways may run one at once: each ticket is locked by one of them.
 *
 * @throws AggregateError after the others, if some tickets failed
 */
export async function sweep(
  { database, announce }: Pick<Dependencies, 'database' | 'announce'>,
  { lockDue, end }: Sweep,
  { signal, failed = new FailedTickets(), ticketsAtOnce = 100 }: SweepOptions = {},
): Promise<number> {
  const passedOver = new Set(failed.ids());
  const failures: unknown[] = [];
  let count = 0;
  let limit = ticketsAtOnce;
  while (signal?.aborted !== true && failures.length < mostFailures) {
    let ids: string[] = [];
    try {
      const swept = await database.transaction(async (tx): Promise<Swept> => {
        ids = await lockDue(tx, limit, [...passedOver]);
        return ids.length === 0 ? { count: 0, appended: null } : await end(tx, ids);
      });
      announce(swept.appended);
      count += swept.count;
      limit = Math.min(2 * limit, ticketsAtOnce);
      // Another gateway was faster, or they are not due by the time after the locks.
      if (swept.count === 0) for (const id of ids) passedOver.add(id);
    } catch (error) {
      if (ids.length === 0 || (isUnavailable(error) && !isStatementTimeout(error))) throw error;
      // Fewer and fewer share a transaction with the one that fails, until it is alone.
      limit = Math.ceil(ids.length / 2);
      const [id, ...others] = ids;
      if (id !== undefined && others.length === 0) {
        passedOver.add(id);
        failed.add(id);
        failures.push(error);
      }
    }
    if (ids.length === 0) break;
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} tickets were passed over`);
  return count;
}
