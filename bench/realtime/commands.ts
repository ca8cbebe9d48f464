/** The process that runs commands and measures the transactions per second of its writers, with and without events. */

import type { Grant } from '../../src/grants/grant.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { type Case, runNextStep } from './caseload.ts';
import { now } from './clock.ts';
import { answerRequests } from './processes.ts';

type Writer = { on: Case; grant: Grant | null };

let database: Database | undefined;
let writers: Writer[] = [];

const handlers = {
  /** Opens the database and creates one writer for each case. */
  open({ databaseUrl, cases }: { databaseUrl: string; cases: Case[] }): void {
    database = openDatabase({
      url: databaseUrl,
      logger: createLogger('silent'),
      poolSize: cases.length,
    });
    writers = cases.map((on) => ({ on, grant: null }));
  },

  /** Runs the writers for this time; returns their total transactions per second. */
  async write({
    withoutEvents,
    milliseconds,
  }: {
    withoutEvents: boolean;
    milliseconds: number;
  }): Promise<number> {
    if (database === undefined) throw new TypeError('The process has not been opened');
    const open = database;
    const begun = now();
    let done = 0;
    await Promise.all(
      writers.map(async (writer) => {
        while (now() - begun < milliseconds) {
          writer.grant = await runNextStep(open, writer.on, writer.grant, { withoutEvents });
          done += 1;
        }
      }),
    );
    return (done * 1_000) / (now() - begun);
  },
};

export type CommandHandlers = typeof handlers;

answerRequests(handlers);
