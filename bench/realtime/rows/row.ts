import type { Infrastructure } from '../infrastructure.ts';
import type { ServerName } from '../servers.ts';

/** The result of one measurement. */
export type Sample = {
  /** The figures by name, as in the row. */
  figures: Readonly<Record<string, number>>;
  /** What went wrong, in words. The figures of a sample with faults are shown but not counted. */
  faults: readonly string[];
};

/** The median of a figure over the rounds without faults. */
export type Medians = (figure: string, server: ServerName) => number | undefined;

/** A goal for Latchkey. Whether it is met is unknown if a server it is compared with was not measured. */
export type Goal = { title: string; isMet(of: Medians): boolean | undefined };

export type Figure = { name: string; title: string; digits: number; goals?: readonly Goal[] };

export type Row = {
  name: string;
  title: string;
  servers: readonly ServerName[];
  figures: readonly Figure[];
  measure(infrastructure: Infrastructure, server: ServerName): Promise<Sample>;
};
