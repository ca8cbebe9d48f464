/** Applies the events of ticketing systems: each by the commands that anybody else uses, as its service account. */
import { visibleSites } from '../authorization/visibility.ts';
import type { Command } from '../commands/command.ts';
import { type Dependencies, execute } from '../commands/execute.ts';
import { type RefusalCode, RefusedError } from '../commands/refusal.ts';
import type { ServiceViewer } from '../identity/viewer.ts';
import { findViewerById } from '../identity/viewer-store.ts';
import { findExternalTicket } from '../tickets/store.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { planFor, type Step } from './plan.ts';
import {
  beginAttempt,
  contentOf,
  type InboundTicketEvent,
  listReady,
  type Settlement,
  saveSettlement,
} from './store.ts';
import {
  assignAsTold,
  closeAsTold,
  fileTicket,
  reopenAsTold,
  setStatusAsTold,
  updateAsTold,
} from './ticket-commands.ts';
import { type Content, type Filing, filingOf } from './ticket-event.ts';

/** Why an event was not applied, or not wholly. */
type Problem = Pick<Settlement, 'reason' | 'refusalCode'> & { state: 'WAITING' | 'KEPT' };

const waiting = (reason: 'NO_TICKET_YET' | 'TICKET_CLOSED'): Problem => ({
  ...{ state: 'WAITING', reason, refusalCode: null },
});

/** Somebody else has closed the ticket after it was read. */
const closedMeanwhile = waiting('TICKET_CLOSED');

const applied = { state: 'APPLIED', reason: null, refusalCode: null } as const;

const kept = (reason: Exclude<Settlement['reason'], 'REFUSED' | null>): Problem => ({
  ...{ state: 'KEPT', reason, refusalCode: null },
});

/** Thrown where the event names what does not exist, or not for this integration. */
class CannotApplyError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`An event was not applied: ${problem.reason}`);
    this.problem = problem;
  }
}

/** An event with the attempt that came to an end, and what came of it. */
type Applied = { row: InboundTicketEvent; settlement: Settlement };

/** Records what came of the event, and applies those events of its ticket that waited for it. */
export async function record(dependencies: Dependencies, { row, settlement }: Applied): Promise<void> {
  const { database, clock } = dependencies;
  await saveSettlement(database.prisma, row, settlement, clock());
  await applyReady(dependencies, row);
}

/** One event may reopen the ticket for those before it, so they are gone through twice; once more if others are at work. */
const maxPasses = 3;

/**
 * Applies the events of a ticket that wait for nothing any more. Called after every event of it, so that of two that
 * arrive at once the later one to be recorded finds the other.
 */
export async function applyReady(dependencies: Dependencies, of: InboundTicketEvent): Promise<void> {
  const { database, clock } = dependencies;
  for (let pass = 0; pass < maxPasses; pass += 1) {
    const ready = await listReady(database.prisma, of);
    if (ready.length === 0) return;
    for (const row of ready) {
      const begun = await beginAttempt(database.prisma, row);
      if (begun === null) continue;
      const applied = await apply(dependencies, begun);
      await saveSettlement(database.prisma, applied.row, applied.settlement, clock());
    }
  }
}

/** How often an event is applied anew because its ticket was closed between the plan and a command. */
const maxRounds = 3;

/** Applies what can be applied of the event. */
export async function apply(dependencies: Dependencies, first: InboundTicketEvent): Promise<Applied> {
  let row = first;
  for (let round = 1; ; round += 1) {
    const { wasClosedMeanwhile, ...settlement } = await applyOnce(dependencies, row);
    const mayTryAgain = wasClosedMeanwhile && round < maxRounds;
    const next = mayTryAgain ? await beginAttempt(dependencies.database.prisma, row) : null;
    if (next === null) return { row, settlement };
    row = next;
  }
}

/** The first problem is what came of it. */
async function applyOnce(
  dependencies: Dependencies,
  row: InboundTicketEvent,
): Promise<Settlement & { wasClosedMeanwhile: boolean }> {
  const { database } = dependencies;
  const content = contentOf(row);
  let ticket = await findExternalTicket(database.prisma, row);
  const filing = ticket === null ? filingOf(content) : null;
  if (filing !== null) {
    const filed = await attempt(() => file(dependencies, row, filing));
    if ('problem' in filed) return { ...filed.problem, ticketId: null, wasClosedMeanwhile: false };
    ticket = filed.done;
  }
  if (ticket === null) return { ...waiting('NO_TICKET_YET'), ticketId: null, wasClosedMeanwhile: false };
  const { id: ticketId } = ticket;
  const { steps, assignmentWaits } = planFor(ticket, content, row.moment);
  const problems = assignmentWaits ? [waiting('TICKET_CLOSED')] : [];
  for (const step of steps) {
    const taken = await attempt(() => take(dependencies, row, { step, ticketId, content }));
    if ('problem' in taken) problems.push(taken.problem);
  }
  const wasClosedMeanwhile = problems.includes(closedMeanwhile);
  return { ...(problems[0] ?? applied), ticketId, wasClosedMeanwhile };
}

async function attempt<T>(work: () => Promise<T>): Promise<{ done: T } | { problem: Problem }> {
  try {
    return { done: await work() };
  } catch (error) {
    if (error instanceof CannotApplyError) return { problem: error.problem };
    if (error instanceof RefusedError) return { problem: problemOf(error.refusal.code) };
    throw error;
  }
}

function problemOf(code: RefusalCode): Problem {
  if (code === 'TICKET_CLOSED') return closedMeanwhile;
  return { state: 'KEPT', reason: 'REFUSED', refusalCode: code };
}

/** Runs a command as the service account. A repetition of the same attempt gets the first answer. */
function run<Input, Facts, Row extends object>(
  dependencies: Dependencies,
  { integrationId, id, attempt: number }: InboundTicketEvent,
  command: Command<Input, Facts, Row>,
  input: Input,
): Promise<Row> {
  // By the row, not the webhook id: an event that was dropped is decided anew when it is sent again. A key that a client
  // chooses has no space.
  const idempotencyKey = `${id} ${command.operation} ${number}`;
  return execute(dependencies, command, input, { accountId: integrationId, idempotencyKey });
}

async function file(dependencies: Dependencies, row: InboundTicketEvent, filing: Filing): Promise<Ticket> {
  const { integrationId, externalId, moment } = row;
  const { productId, reporterId } = await findPlace(dependencies, integrationId, filing);
  return await run(dependencies, row, fileTicket, {
    ...{ productId, reporterId, integrationId, externalId, moment },
    ...{ summary: filing.summary, grantDataAccess: filing.data_access_consent },
  });
}

/** The product and the reporter, as far as the integration may know them: what it may not see is as if it did not exist. */
async function findPlace(
  { database }: Dependencies,
  integrationId: string,
  { site: url, product: key, reporter: email }: Filing,
): Promise<{ productId: string; reporterId: string }> {
  const viewer = await integrationOf(database.prisma, integrationId);
  const site = await database.prisma.site.findFirst({
    where: { AND: [visibleSites(viewer), { url }] },
    include: { products: { where: { key } } },
  });
  if (site === null) throw new CannotApplyError(kept('SITE_UNKNOWN'));
  const [product] = site.products;
  if (product === undefined) throw new CannotApplyError(kept('PRODUCT_UNKNOWN'));
  const { organizationId } = site;
  const reporter = await database.prisma.account.findFirst({
    where: { email, kind: 'USER', active: true, memberships: { some: { organizationId } } },
  });
  if (reporter === null) throw new CannotApplyError(kept('REPORTER_NOT_A_MEMBER'));
  return { productId: product.id, reporterId: reporter.id };
}

/** The service account, which may have been deactivated since the event came. */
async function integrationOf(
  db: Dependencies['database']['prisma'],
  integrationId: string,
): Promise<ServiceViewer> {
  const viewer = await findViewerById(db, integrationId);
  if (viewer?.kind === 'SERVICE_ACCOUNT') return viewer;
  throw new CannotApplyError({ state: 'KEPT', reason: 'REFUSED', refusalCode: 'FORBIDDEN' });
}

type Taking = { step: Step; ticketId: string; content: Content };

async function take(
  dependencies: Dependencies,
  row: InboundTicketEvent,
  { step, ticketId, content }: Taking,
): Promise<Ticket> {
  const { moment, occurredAt } = row;
  const news = { ticketId, moment };
  switch (step) {
    case 'CLOSE':
      return await run(dependencies, row, closeAsTold, { ...news, occurredAt });
    case 'REOPEN':
      return await run(dependencies, row, reopenAsTold, news);
    case 'SET_STATUS':
      return await run(dependencies, row, setStatusAsTold, { ...news, status: openStatusOf(content) });
    case 'UPDATE':
      return await update(dependencies, row, { ticketId, content });
    case 'ASSIGN': {
      const engineerId = await findEngineer(dependencies, content.engineer ?? null);
      return await run(dependencies, row, assignAsTold, { ...news, engineerId });
    }
  }
}

/** Sets what can be set: an unknown product leaves the summary to be set. */
async function update(
  dependencies: Dependencies,
  row: InboundTicketEvent,
  { ticketId, content: { summary, product: key } }: Omit<Taking, 'step'>,
): Promise<Ticket> {
  const isKnown = key === undefined || (await isOnSite(dependencies, ticketId, key));
  const ticket = await run(dependencies, row, updateAsTold, {
    ...{ ticketId, moment: row.moment },
    ...(summary === undefined ? {} : { summary }),
    ...(key === undefined || !isKnown ? {} : { product: { key } }),
  });
  if (!isKnown) throw new CannotApplyError(kept('PRODUCT_UNKNOWN'));
  return ticket;
}

async function isOnSite({ database }: Dependencies, ticketId: string, key: string): Promise<boolean> {
  return (
    (await database.prisma.product.count({ where: { key, site: { tickets: { some: { id: ticketId } } } } })) >
    0
  );
}

function openStatusOf({ status }: Content): 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED' {
  if (status === undefined || status === 'CLOSED') throw new Error('Only the other statuses are set');
  return status;
}

async function findEngineer({ database }: Dependencies, email: string | null): Promise<string | null> {
  if (email === null) return null;
  const found = await database.prisma.account.findFirst({
    where: { email, kind: 'SUPPORT_ENGINEER', active: true },
  });
  if (found === null) throw new CannotApplyError(kept('ENGINEER_UNKNOWN'));
  return found.id;
}
