/** Receives the signed events of ticketing systems: finds whose they are, keeps each once, and applies it. */
import type { Dependencies } from '../commands/execute.ts';
import type { Transaction } from '../platform/database.ts';
import { retryOnWriteConflict } from '../platform/write-conflict.ts';
import { apply, applyReady, record } from './apply.ts';
import { addEvent, dropEvent, hasTooManyNotApplied } from './store.ts';
import type { TicketEvent } from './ticket-event.ts';

/** A ticketing system that sends events, as it is configured. */
export type Integration = {
  /** The last part of the URL that it sends to. */
  readonly name: string;
  /** The address of its service account, in whose name its events are applied. */
  readonly account: string;
  /** What it signs with, `whsec_…`: any of them, while it changes from one to the next. */
  readonly secrets: readonly string[];
};

export type Receipt =
  | { result: 'APPLIED' | 'WAITING' | 'KEPT' }
  /** Sent before; what the first answer was. */
  | { result: 'REPEATED'; wasApplied: boolean }
  /** There is no active service account with the capability TICKETING of this address. */
  | { result: 'NO_ACCOUNT' }
  /** Too many events of the integration wait or are kept. This one is not. */
  | { result: 'TOO_MANY_NOT_APPLIED' };

/** Takes in an event whose signature was verified. */
export async function receive(
  dependencies: Dependencies,
  { account }: Integration,
  webhookId: string,
  event: TicketEvent,
): Promise<Receipt> {
  const { database, clock } = dependencies;
  const db = database.prisma;
  const integrationId = await findIntegration(db, account);
  if (integrationId === null) return { result: 'NO_ACCOUNT' };
  const row = await retryOnWriteConflict(() => addEvent(db, integrationId, webhookId, event, clock()));
  if (row.state !== 'RECEIVED') {
    // The gateway that applied it may have stopped before it applied what waited for it.
    await applyReady(dependencies, row);
    return { result: 'REPEATED', wasApplied: row.keptAt === null };
  }
  const applied = await apply(dependencies, row);
  const { state } = applied.settlement;
  if (state !== 'APPLIED' && (await hasTooManyNotApplied(db, integrationId))) {
    await dropEvent(db, row);
    return { result: 'TOO_MANY_NOT_APPLIED' };
  }
  await record(dependencies, applied);
  return { result: state };
}

async function findIntegration(db: Transaction, email: string): Promise<string | null> {
  const found = await db.account.findFirst({
    where: { email, kind: 'SERVICE_ACCOUNT', active: true, capabilities: { has: 'TICKETING' } },
  });
  return found?.id ?? null;
}
