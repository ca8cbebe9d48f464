/** Formats the figures as tables. */
import type { Figure, Medians, Row, Sample } from './rows/row.ts';
import type { ServerName } from './servers.ts';
import { median } from './statistics.ts';

export type Samples = ReadonlyMap<ServerName, readonly Sample[]>;

/** Of the rounds without faults. */
export function mediansOf(samples: Samples): Medians {
  return (figure, server) => {
    const sound = samples.get(server)?.filter(({ faults }) => faults.length === 0) ?? [];
    const found = sound.flatMap(({ figures }) => figures[figure] ?? []);
    return found.length === 0 ? undefined : median(found);
  };
}

export function tableOf(row: Row, samples: Samples): string[] {
  const servers = row.servers.filter((server) => samples.has(server));
  const of = mediansOf(samples);
  const lines = row.figures.map((figure) => [
    `  ${figure.title}`,
    ...servers.map((server) => cellOf(figure, server, of)),
    goalsOf(figure, of),
  ]);
  const faults = servers.flatMap((server) => faultsOf(server, samples.get(server) ?? []));
  return [`${row.name}: ${row.title}`, ...aligned([['', ...servers, ''], ...lines]), ...faults, ''];
}

function faultsOf(server: ServerName, samples: readonly Sample[]): string[] {
  const faulty = samples.filter(({ faults }) => faults.length > 0);
  const rounds = `${faulty.length} of ${samples.length} rounds do not count`;
  return faulty.length === 0
    ? []
    : [
        `  ! ${server}: ${rounds}`,
        ...faulty.flatMap(({ faults }) => faults.map((fault) => `      ${fault}`)),
      ];
}

function cellOf({ name, digits }: Figure, server: ServerName, of: Medians): string {
  const value = of(name, server);
  if (value === undefined) return '–';
  const bare = of(name, 'bare');
  const ratio =
    server === 'bare' || bare === undefined || bare === 0 ? '' : ` (${(value / bare).toFixed(2)}×)`;
  return `${value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}${ratio}`;
}

function goalsOf({ goals = [] }: Figure, of: Medians): string {
  return goals
    .map(({ title, isMet }) => {
      const met = isMet(of);
      return `${title}: ${met === undefined ? 'unknown' : met ? 'met' : 'NOT MET'}`;
    })
    .join('; ');
}

function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines.reduce<number[]>(
    (known, line) => line.map((cell, at) => Math.max(known[at] ?? 0, cell.length)),
    [],
  );
  return lines.map((line) =>
    line
      .map((cell, at) =>
        at === 0 || at === line.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
