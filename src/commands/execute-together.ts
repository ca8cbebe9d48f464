/** The pipeline of execute.ts for many commands on grants in one transaction. */
import type { Sender } from '../audit/entry.ts';
import type { GrantRow } from '../grants/row.ts';
import type { Viewer } from '../identity/viewer.ts';
import { findViewerAt } from '../identity/viewer-store.ts';
import { inSpan } from '../metrics/spans.ts';
import type { Transaction } from '../platform/database.ts';
import { retryOnWriteConflict } from '../platform/write-conflict.ts';
import { lockRights } from '../roles/locks.ts';
import { lockTicketsOfGrants } from '../tickets/locks.ts';
import type { Command, Rules } from './command.ts';
import { answerOnly, type Effects, effectsOf, writeEffects } from './effects.ts';
import { answerToRepetition, type Dependencies, notActive, outcomeOf } from './execute.ts';
import { type Answer, claimKeys, keepAnswers, repetitionOf } from './idempotency.ts';
import { isRefusalOnly } from './refuse-unlocked.ts';
import { FactsOfGrants, type TicketFacts } from './ticket-facts.ts';
import { tracedTransaction } from './traced-transaction.ts';

/** A command that decides on one existing grant, by its ticket's facts. */
export type CommandOnGrant<Input extends { grantId: string }> = Command<Input, TicketFacts, GrantRow>;

export type BulkItem<Input> = { input: Input; idempotencyKey: string | null };

/**
 * Runs one command for many inputs in one transaction, and returns their answers in the order of the inputs, and the caller
 * as `executeAndLook` does. The inputs are decided one after the other, each on what those before it have left. As many
 * statements as for one. Locks, facts and rows are those of all of them: if one fails unexpectedly, none is executed.
 *
 * Once the signal is aborted, no further statement is sent, and nothing is changed.
 */
export async function executeTogether<Input extends { grantId: string }>(
  { database, clock, announce, rules, unsettledSites, metrics, recentRefusals }: Dependencies,
  command: CommandOnGrant<Input>,
  items: readonly BulkItem<Input>[],
  { accountId, source, viewer: before }: Sender & { viewer?: Viewer | undefined },
  signal: AbortSignal,
): Promise<{ answers: Answer<GrantRow>[]; viewer: Viewer | null }> {
  const grantIds = items.map(({ input }) => input.grantId);
  const run = async (tx: Transaction) => {
    const suspect = recentRefusals?.has(accountId) ? before : undefined;
    const unlocked = await refuseTogether(tx, command, items, suspect, { clock, rules });
    const locked = items.filter((_, index) => !unlocked.has(index));
    if (locked.length > 0) {
      await inSpan('lock', {}, async () => {
        await lockTicketsOfGrants(
          tx,
          locked.map(({ input }) => input.grantId),
        );
        await lockRights(tx, accountId, await rightsOf(tx, command, locked));
      });
    }
    const asked = items.map(({ input, idempotencyKey: key }) =>
      key === null ? null : repetitionOf(accountId, key, command.operation, input),
    );
    const first = await claimKeys<GrantRow>(
      tx,
      accountId,
      asked.filter((one) => one !== null),
    );
    const found = await findViewerAt(tx, accountId);
    const facts = found && (await inSpan('load', {}, () => FactsOfGrants.find(tx, grantIds)));
    // Read after the locks, so that the changes of one thing have times in their order.
    const now = clock(found?.readAt);
    unsettledSites?.note(found?.unsettledSites ?? []);
    const viewer = found?.viewer ?? null;
    const decideOne = ({ input, idempotencyKey: key }: BulkItem<Input>, index: number): Effects<GrantRow> => {
      if (viewer === null || facts === null) return answerOnly({ refused: notActive });
      const known = key === null ? undefined : first.get(key);
      const ofGrant = facts.of(input.grantId);
      if (known !== undefined) return answerOnly(answerToRepetition(command, ofGrant, viewer, known));
      const refused = unlocked.get(index);
      if (refused !== undefined) return refused;
      const decided = effectsOf(command, ofGrant, input, { viewer, now, rules });
      facts.change(decided.grants);
      return decided;
    };
    const effects = inSpan('decide', {}, () => items.map(decideOne));
    const appended = await inSpan('write', {}, () => writeEffects(tx, effects, now, { accountId, source }));
    const answers = effects.map(({ answer }) => answer);
    const kept = asked.flatMap((one, index) => {
      const decided = effects[index];
      if (one === null || first.has(one.key) || decided === undefined) return [];
      return [{ key: one.key, answer: decided.answer, organizationId: decided.organizationId }];
    });
    await keepAnswers(tx, accountId, kept);
    return { answers, viewer, appended };
  };
  const { appended, ...executed } = await inSpan(
    `command ${command.operation}`,
    { 'latchkey.items': items.length },
    () => retryOnWriteConflict(() => tracedTransaction(database, run, signal)),
  );
  inSpan('publish', {}, () => announce(appended));
  for (const answer of executed.answers) metrics?.commandAnswered(command.operation, outcomeOf(answer));
  if (executed.answers.some((answer) => 'refused' in answer)) recentRefusals?.note(accountId);
  return executed;
}

/**
 * What is refused on the facts as they are, by the places of the items: as refuse-unlocked.ts, of tickets of which everything
 * is refused.
 */
async function refuseTogether<Input extends { grantId: string }>(
  tx: Transaction,
  command: CommandOnGrant<Input>,
  items: readonly BulkItem<Input>[],
  viewer: Viewer | undefined,
  { clock, rules }: Pick<Dependencies, 'clock'> & { rules: Rules | undefined },
): Promise<ReadonlyMap<number, Effects<GrantRow>>> {
  if (viewer === undefined) return new Map();
  const facts = await FactsOfGrants.find(
    tx,
    items.map(({ input }) => input.grantId),
  );
  const now = clock();
  const decided = items.map(({ input }) => {
    const ofGrant = facts.of(input.grantId);
    return {
      ticketId: ofGrant?.ticket.id,
      effects: effectsOf(command, ofGrant, input, { viewer, now, rules }),
    };
  });
  const toLock = new Set(
    decided.flatMap(({ ticketId, effects }) => (isRefusalOnly(effects) ? [] : [ticketId])),
  );
  return new Map(
    decided.flatMap(({ ticketId, effects }, index) =>
      isRefusalOnly(effects) && !toLock.has(ticketId) ? [[index, effects]] : [],
    ),
  );
}

/** Whose rights the commands rely on, besides those of their caller. */
async function rightsOf<Input extends { grantId: string }>(
  tx: Transaction,
  { rights }: CommandOnGrant<Input>,
  items: readonly BulkItem<Input>[],
) {
  const named = [];
  for (const { input } of items) named.push((await rights?.(input, tx)) ?? []);
  return named.flat();
}
