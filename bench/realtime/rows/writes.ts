import { openCases } from '../caseload.ts';
import type { CommandHandlers } from '../commands.ts';
import { startProcess } from '../processes.ts';
import { median } from '../statistics.ts';
import { holds } from './goals.ts';
import type { Row } from './row.ts';

const writers = 8;
const warmUp = 2_000;
const slice = 500;
/** Short turns with and without, so that what else the machine does meets both alike. */
const turns = 24;

export const writes: Row = {
  name: 'writes',
  says: `${writers} writers that ask, approve and revoke: transactions a second with the event and without`,
  servers: ['latchkey'],
  figures: [
    { name: 'with', says: 'with the event', digits: 0 },
    { name: 'without', says: 'without', digits: 0 },
    {
      name: 'share',
      says: 'with, of without, %',
      digits: 1,
      goals: [
        {
          says: '≥ 80 %',
          isMet: (of) => holds((share, least) => share >= least, of('share', 'latchkey'), 80),
        },
      ],
    },
  ],
  async measure(machinery) {
    await using database = await machinery.createDatabase();
    await using commands = startProcess<CommandHandlers>('./commands.ts');
    const engineers = machinery.people.engineers.slice(0, writers);
    const cases = await openCases(
      database.url,
      machinery.people,
      engineers.map(({ id }) => id),
    );
    await commands.ask('open', { databaseUrl: database.url, cases });
    await commands.ask('write', { isSilent: false, milliseconds: warmUp });
    const rates = { with: [] as number[], without: [] as number[] };
    for (let turn = 0; turn < turns; turn += 1) {
      const isSilent = turn % 2 === 0;
      const rate = await commands.ask('write', { isSilent, milliseconds: slice });
      (isSilent ? rates.without : rates.with).push(rate);
    }
    const figures = { with: median(rates.with), without: median(rates.without) };
    return { figures: { ...figures, share: (100 * figures.with) / figures.without }, faults: [] };
  },
};
