import { openCases } from '../caseload.ts';
import type { CommandHandlers } from '../commands.ts';
import { startProcess } from '../processes.ts';
import { median } from '../statistics.ts';
import { holds } from './goals.ts';
import type { Row } from './row.ts';

const writers = 8;
const warmUp = 2_000;
const slice = 500;
/** Short alternating runs with and without events, so that other load on the machine affects both equally. */
const turns = 24;

export const writes: Row = {
  name: 'writes',
  title: `${writers} writers that request, approve and revoke: transactions a second with the event and without`,
  servers: ['latchkey'],
  figures: [
    { name: 'with', title: 'with the event', digits: 0 },
    { name: 'without', title: 'without', digits: 0 },
    {
      name: 'share',
      title: 'with, of without, %',
      digits: 1,
      goals: [
        {
          title: '≥ 80 %',
          isMet: (of) => holds((share, least) => share >= least, of('share', 'latchkey'), 80),
        },
      ],
    },
  ],
  async measure(infrastructure) {
    await using database = await infrastructure.createDatabase();
    await using commands = startProcess<CommandHandlers>('./commands.ts');
    const engineers = infrastructure.people.engineers.slice(0, writers);
    const cases = await openCases(
      database.url,
      infrastructure.people,
      engineers.map(({ id }) => id),
    );
    await commands.ask('open', { databaseUrl: database.url, cases });
    await commands.ask('write', { withoutEvents: false, milliseconds: warmUp });
    const rates = { with: [] as number[], without: [] as number[] };
    for (let turn = 0; turn < turns; turn += 1) {
      const withoutEvents = turn % 2 === 0;
      const rate = await commands.ask('write', { withoutEvents, milliseconds: slice });
      (withoutEvents ? rates.without : rates.with).push(rate);
    }
    const figures = { with: median(rates.with), without: median(rates.without) };
    return { figures: { ...figures, share: (100 * figures.with) / figures.without }, faults: [] };
  },
};
