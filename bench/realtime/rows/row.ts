import type { Machinery } from '../machinery.ts';
import type { ServerName } from '../servers.ts';

/** What one measurement found. */
export type Sample = {
  /** By the names of the row's figures. */
  figures: Readonly<Record<string, number>>;
  /** What was not as it should be, in words. With any, the figures are shown and not counted. */
  faults: readonly string[];
};

/** The medians of one figure over the rounds in which nothing was wrong. */
export type Medians = (figure: string, server: ServerName) => number | undefined;

/** A goal for Latchkey: whether it is met is unknown while a server it is compared with was not measured. */
export type Goal = { says: string; isMet(of: Medians): boolean | undefined };

export type Figure = { name: string; says: string; digits: number; goals?: readonly Goal[] };

export type Row = {
  name: string;
  says: string;
  servers: readonly ServerName[];
  figures: readonly Figure[];
  measure(machinery: Machinery, server: ServerName): Promise<Sample>;
};
