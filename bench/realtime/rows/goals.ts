import { serverNames } from '../servers.ts';
import type { Goal, Medians } from './row.ts';

/** The goal that Latchkey's figure is at most the limit. */
export function atMost(figure: string, limit: number, unit: string): Goal {
  return {
    title: `≤ ${limit} ${unit}`,
    isMet: (of) => holds((mine, most) => mine <= most, of(figure, 'latchkey'), limit),
  };
}

export function atMostBare(figure: string, times: number): Goal {
  return {
    title: `≤ ${times}× bare`,
    isMet: (of) => holds((mine, its) => mine <= times * its, of(figure, 'latchkey'), of(figure, 'bare')),
  };
}

export function atLeastBare(figure: string, times: number): Goal {
  return {
    title: `≥ ${times}× bare`,
    isMet: (of) => holds((mine, its) => mine >= times * its, of(figure, 'latchkey'), of(figure, 'bare')),
  };
}

export function belowEveryPeer(figure: string): Goal {
  return {
    title: 'below every peer',
    isMet: (of) => holds((mine, its) => mine < its, of(figure, 'latchkey'), least(peersOf(figure, of))),
  };
}

export function noWorseThanTheBestPeer(figure: string): Goal {
  return {
    title: 'no worse than the best peer',
    isMet: (of) => holds((mine, its) => mine <= its, of(figure, 'latchkey'), least(peersOf(figure, of))),
  };
}

export function timesTheBestPeer(figure: string, times: number): Goal {
  return {
    title: `≥ ${times}× the best peer`,
    isMet: (of) =>
      holds((mine, its) => mine >= times * its, of(figure, 'latchkey'), greatest(peersOf(figure, of))),
  };
}

/** Whether the test holds for the two figures; undefined if one of them is unknown. */
export function holds(
  test: (mine: number, its: number) => boolean,
  mine: number | undefined,
  its: number | undefined,
): boolean | undefined {
  return mine === undefined || its === undefined ? undefined : test(mine, its);
}

const others = serverNames.filter((name) => !name.startsWith('latchkey') && !name.startsWith('bare'));

function peersOf(figure: string, of: Medians): number[] {
  return others.map((name) => of(figure, name)).filter((value) => value !== undefined);
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function greatest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}
