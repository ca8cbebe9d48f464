/** Decides every cell of the lifecycle table. The last tests count the cells, so that none can be missing. */
import { describe, expect, test } from 'vitest';
import { type EndReason, type Grant, type GrantState, isOpen } from '../../src/grants/grant.ts';
import { decide, type GrantCommand } from '../../src/grants/lifecycle.ts';
import { NOW } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';
import { commands, type Outcome, type Row, type Situation, situations } from './lifecycle-table.ts';

type Cell = { command: GrantCommand; when: string; outcome: Outcome | undefined };

/** Every command, with the outcome in the row. */
function cells(row: Row): Cell[] {
  const outcomes = new Map(
    Object.entries(row).flatMap(([type, cases]) =>
      Object.entries<Outcome>(cases).map(([name, outcome]) => [`${type} ${name}`, outcome] as const),
    ),
  );
  return Object.entries(commands).flatMap(([type, cases]) =>
    Object.entries<GrantCommand>(cases).map(([name, command]) => ({
      command,
      when: `${type} ${name}`,
      outcome: outcomes.get(`${type} ${name}`),
    })),
  );
}

const rows = Object.entries(situations).flatMap(([state, variants]) =>
  Object.entries<Situation[]>(variants).flatMap(([variant, all]) =>
    all.map((situation, index) => ({ ...situation, state, name: `${state} ${variant} (${index + 1})` })),
  ),
);

function expected(given: Grant | null, outcome: Outcome): object {
  if (!('event' in outcome)) return outcome;
  const { event, decision = null, state, facts, without = [] } = outcome;
  const kept = Object.entries(given ?? {}).filter(([name]) => !without.includes(name));
  const grant = { ...Object.fromEntries(kept), ...facts, state, version: (given?.version ?? 0) + 1 };
  return { changed: { event, decision, grant } };
}

describe.each(rows)('given $name', ({ given, row }) => {
  test.each(cells(row))('when $when', ({ command, outcome }) => {
    const [grantBefore, commandBefore] = [structuredClone(given), structuredClone(command)];

    const decision = decide(deepFreeze(given), deepFreeze(command), NOW);

    expect(outcome, 'nobody has said what this command means here').toBeDefined();
    if (outcome === undefined) return;
    expect(decision).toStrictEqual(expected(given, outcome));
    expect({ given, command }).toStrictEqual({ given: grantBefore, command: commandBefore });
  });
});

describe('the table', () => {
  const states = {
    none: true,
    PENDING_APPROVAL: true,
    PENDING_GUARD_APPROVAL: true,
    ACTIVE: true,
    DENIED: true,
    WITHDRAWN: true,
    EXPIRED: true,
    REVOKED: true,
    ENDED: true,
  } satisfies Record<GrantState | 'none', true>;
  const endReasons = {
    REVOKED_BY_CUSTOMER: true,
    TICKET_CLOSED: true,
    TIME_ELAPSED: true,
    RELEASED_BY_ENGINEER: true,
    SITE_DEACTIVATED: true,
    PRODUCT_UNLICENSED: true,
    PRODUCT_CHANGED: true,
    DENIED_BY_CUSTOMER: true,
    DENIED_BY_GUARD: true,
    WITHDRAWN_BY_ENGINEER: true,
    APPROVAL_TIMED_OUT: true,
  } satisfies Record<EndReason, true>;

  test('has all nine states × sixteen commands', () => {
    const pairs = new Set(
      rows.flatMap(({ given, row }) =>
        cells(row).map(({ command }) => `${given?.state ?? 'none'} × ${command.type}`),
      ),
    );
    expect(new Set(rows.map(({ given }) => given?.state ?? 'none'))).toEqual(new Set(Object.keys(states)));
    expect(pairs.size).toBe(9 * 16);
  });

  test('has a decided cell for every command, and no cell for an unknown one', () => {
    const commandCases = Object.values(commands).flatMap((cases) => Object.keys(cases)).length;
    for (const { name, row } of rows) {
      expect(
        Object.values(row).flatMap((cases) => Object.values<Outcome>(cases)),
        name,
      ).toHaveLength(commandCases);
    }
  });

  test('names each situation after the state in it', () => {
    for (const { state, given } of rows) expect(given?.state ?? 'none').toBe(state);
  });

  test('has every end reason, as an outcome and as a starting point', () => {
    const outcomes = rows.flatMap(({ row }) => cells(row).map(({ outcome }) => outcome));
    const reached = outcomes.map((outcome) =>
      outcome !== undefined && 'event' in outcome ? outcome.facts['endReason'] : undefined,
    );
    const held = rows.map(({ given }) => (given !== null && !isOpen(given) ? given.endReason : undefined));
    expect(new Set(reached.filter((reason) => reason !== undefined))).toEqual(
      new Set(Object.keys(endReasons)),
    );
    expect(new Set(held.filter((reason) => reason !== undefined))).toEqual(new Set(Object.keys(endReasons)));
  });
});
