/** The process of commands: how many transactions a second writers get done, with events and without. */

import type { Grant } from '../../src/grants/grant.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { type Case, takeNextStep } from './caseload.ts';
import { moment } from './moment.ts';
import { obey } from './processes.ts';

type Writer = { on: Case; grant: Grant | null };

let database: Database | undefined;
let writers: Writer[] = [];

const handlers = {
  /** A writer for each case. */
  open({ databaseUrl, cases }: { databaseUrl: string; cases: Case[] }): void {
    database = openDatabase({
      url: databaseUrl,
      logger: createLogger('silent'),
      poolSize: cases.length,
    });
    writers = cases.map((on) => ({ on, grant: null }));
  },

  /** Transactions a second, of all writers together. */
  async write({ isSilent, milliseconds }: { isSilent: boolean; milliseconds: number }): Promise<number> {
    if (database === undefined) throw new TypeError('The process has not been opened');
    const open = database;
    const begun = moment();
    let done = 0;
    await Promise.all(
      writers.map(async (writer) => {
        while (moment() - begun < milliseconds) {
          writer.grant = await takeNextStep(open, writer.on, writer.grant, { isSilent });
          done += 1;
        }
      }),
    );
    return (done * 1_000) / (moment() - begun);
  },
};

export type CommandHandlers = typeof handlers;

obey(handlers);
