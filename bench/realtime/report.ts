/** What a run of a benchmark has measured, for programs to read. */
import { machineFacts } from './rounds.ts';
import type { Row } from './rows/row.ts';
import type { ServerName } from './servers.ts';
import { mediansOf, type Samples } from './table.ts';

export type Measured = { readonly row: Row; readonly samples: Samples };

export type Report = {
  /** ISO 8601. */
  readonly measuredAt: string;
  readonly machine: ReturnType<typeof machineFacts>;
  /** `PostgreSQL 18.0, Redis 7.0.15` */
  readonly versions: string;
  readonly rounds: number;
  readonly figures: readonly ReportedFigure[];
};

/** The median of the rounds, by server; servers of which every round had a fault are left out. */
export type ReportedFigure = {
  readonly row: string;
  readonly name: string;
  readonly title: string;
  readonly medians: Readonly<Partial<Record<ServerName, number>>>;
  readonly goals: readonly { readonly title: string; readonly isMet: boolean | null }[];
};

export function reportOf(measured: readonly Measured[], run: Pick<Report, 'rounds' | 'versions'>): Report {
  return {
    measuredAt: new Date().toISOString(),
    machine: machineFacts(),
    ...run,
    figures: measured.flatMap(figuresOf),
  };
}

function figuresOf({ row, samples }: Measured): ReportedFigure[] {
  const of = mediansOf(samples);
  return row.figures.map(({ name, title, goals = [] }) => ({
    ...{ row: row.name, name, title: title.trim() },
    medians: Object.fromEntries(
      row.servers.flatMap((server) => {
        const value = of(name, server);
        return value === undefined ? [] : [[server, value]];
      }),
    ),
    goals: goals.map(({ title: wanted, isMet }) => ({ title: wanted, isMet: isMet(of) ?? null })),
  }));
}
