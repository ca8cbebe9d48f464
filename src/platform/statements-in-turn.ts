/** Clients of the database of which few statements run at a time, so that others find connections. */
import type pg from 'pg';
import { createPermits } from './permits.ts';

/** Runs work when fewer than the most allowed run. */
export type InTurn = (work: () => unknown) => Promise<unknown>;

const atOnce = 4;

/**
 * @param check begins every turn; what it throws, the work fails with
 * @param patienceMs for how many milliseconds work that comes now waits for its turn
 */
export function createTurns(check: () => void, patienceMs: () => number): InTurn {
  const late = () => new Error('timeout exceeded when trying to connect: all statements of the work wait');
  const permits = createPermits(atOnce, late);
  return async (work) => {
    const done = await permits.take(patienceMs());
    try {
      check();
      return await work();
    } finally {
      done();
    }
  };
}

export function poolInTurn(pool: pg.Pool, inTurn: InTurn): pg.Pool {
  const query = (...statement: unknown[]) => inTurn(() => Reflect.apply(pool.query, pool, statement));
  return new Proxy(pool, {
    get: (target, name) => (name === 'query' ? query : Reflect.get(target, name)),
  });
}

type Read = { run: () => unknown; settle: PromiseWithResolvers<unknown> };

/** Rows that are read by their keys at the same moment are one statement of Prisma, and have one turn. */
export function prismaInTurn<Client extends object>(client: Client, inTurn: InTurn): Client {
  const groups = new Map<string, Read[]>();

  async function runGroup(key: string, reads: readonly Read[]): Promise<void> {
    groups.delete(key);
    try {
      await inTurn(() =>
        Promise.allSettled(
          reads.map(async ({ run, settle }) => {
            const row = (async () => await run())();
            settle.resolve(row);
            await row;
          }),
        ),
      );
    } catch (error) {
      for (const { settle } of reads) settle.reject(error);
    }
  }

  function together(key: string, run: () => unknown): Promise<unknown> {
    const read = { run, settle: Promise.withResolvers<unknown>() };
    const known = groups.get(key);
    if (known !== undefined) known.push(read);
    else {
      const reads = [read];
      groups.set(key, reads);
      // Prisma sends what it has gathered in the same way.
      process.nextTick(() => void runGroup(key, reads));
    }
    return read.settle.promise;
  }

  function methodsOf<Target extends object>(target: Target, model: string): Target {
    return new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value === 'object' && value !== null) return methodsOf(value, String(name));
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          const run = () => Reflect.apply(value, target, given);
          return isByKey(name) ? together(keyOf(model, name, given), run) : inTurn(run);
        };
      },
    });
  }
  return methodsOf(client, '');
}

function isByKey(name: string | symbol): boolean {
  return name === 'findUnique' || name === 'findUniqueOrThrow';
}

/** The same for reads that Prisma makes one statement. */
function keyOf(model: string, name: string | symbol, [options]: readonly unknown[]): string {
  const { where: _, ...selection }: { where?: unknown } = { ...(options as object) };
  return `${model} ${String(name)} ${JSON.stringify(selection)}`;
}
