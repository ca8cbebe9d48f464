/** How fast a long audit log is searched and counted, compared with other servers on the same table, and what sealing costs: docs/benchmarks.md. */
import { readFileSync } from 'node:fs';
import { buildSchema, isInputObjectType } from 'graphql';
import { installPackages } from '../../test/support/install-packages.ts';
import { runBenchmark } from '../realtime/command-line.ts';
import { peersFolder } from '../realtime/peers.ts';
import { closeLog } from './rows/log.ts';
import { sealing } from './rows/sealing.ts';
import { searchesOf } from './rows/searches.ts';
import { summaryOf } from './rows/summary.ts';
import { type SearchName, searchNames } from './searches.ts';

installPackages(peersFolder);
expectEveryFilter();
try {
  await runBenchmark(
    ({ isQuick, flags: { folder, entries, filters } }) => {
      const choice = { folder, entries: numberOf(entries ?? (isQuick ? '30000' : '1000000')) };
      return [searchesOf(choice, chosen(filters), isQuick), summaryOf(choice, isQuick), sealing];
    },
    {},
    ['folder', 'entries', 'filters'],
  );
} finally {
  await closeLog();
}

/** Every filter of the schema is measured. */
function expectEveryFilter(): void {
  const type = buildSchema(
    readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8'),
  ).getType('AuditLogFilter');
  const names = isInputObjectType(type) ? Object.keys(type.getFields()) : [];
  const missing = names.filter((name) => !searchNames.some((known) => known === name));
  if (names.length === 0 || missing.length > 0)
    wrong(`bench/audit/searches.ts has no search by ${missing.join(', ')}`);
}

function chosen(filters: string | undefined): readonly SearchName[] {
  if (filters === undefined) return searchNames;
  return filters
    .split(',')
    .map(
      (name) =>
        searchNames.find((known) => known === name) ??
        wrong(`There is no search by ${name}: ${searchNames.join(', ')}`),
    );
}

function numberOf(text: string): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 10_000
    ? number
    : wrong('--entries must be a whole number from 10000 on');
}

function wrong(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
