import { type ServerName, serverNames } from '../servers.ts';
import type { Goal, Medians } from './row.ts';

/** Latchkey's figure is at most so much. */
export function atMost(figure: string, limit: number, unit: string): Goal {
  return {
    says: `≤ ${limit} ${unit}`,
    isMet: (of) => holds((mine, most) => mine <= most, of(figure, 'latchkey'), limit),
  };
}

export function atMostBare(figure: string, times: number): Goal {
  return {
    says: `≤ ${times}× bare`,
    isMet: (of) => holds((mine, its) => mine <= times * its, of(figure, 'latchkey'), of(figure, 'bare')),
  };
}

export function atLeastBare(figure: string, times: number): Goal {
  return {
    says: `≥ ${times}× bare`,
    isMet: (of) => holds((mine, its) => mine >= times * its, of(figure, 'latchkey'), of(figure, 'bare')),
  };
}

export function belowEveryPeer(figure: string): Goal {
  return {
    says: 'below every peer',
    isMet: (of) => holds((mine, its) => mine < its, of(figure, 'latchkey'), least(peersOf(figure, of))),
  };
}

export function timesTheBestPeer(figure: string, times: number): Goal {
  return {
    says: `≥ ${times}× the best peer`,
    isMet: (of) =>
      holds((mine, its) => mine >= times * its, of(figure, 'latchkey'), greatest(peersOf(figure, of))),
  };
}

/** Whether it holds of both figures; unknown while one of them is. */
export function holds(
  test: (mine: number, its: number) => boolean,
  mine: number | undefined,
  its: number | undefined,
): boolean | undefined {
  return mine === undefined || its === undefined ? undefined : test(mine, its);
}

const others: readonly ServerName[] = serverNames.filter((name) => name !== 'latchkey' && name !== 'bare');

function peersOf(figure: string, of: Medians): number[] {
  return others.map((name) => of(figure, name)).filter((value) => value !== undefined);
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function greatest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}
