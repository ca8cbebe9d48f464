/**
 * Random histories, on a real database: an answer is yes if and only if a straightforward replay of the history says so,
 * and there are as many entries as answers.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { deactivateSite, reactivateSite } from '../../src/commands/change-site.ts';
import { assignTicket, closeTicket, reopenTicket } from '../../src/commands/change-ticket.ts';
import { licenseProduct, unlicenseProduct } from '../../src/commands/provision-organization.ts';
import { RefusedError } from '../../src/commands/refusal.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { HOUR } from '../support/builders.ts';
import { rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { changeContext, type Office, openOffice } from './office.ts';

vi.setConfig({ testTimeout: bySize(240_000, 3_600_000) });

const seed = seedOf('REPLAY_SEED');
const minute = 60_000;

let office: Office;
/** The clock of the database, as far as commands and evaluations know. It moves a second with each step. */
let time = Date.now();

beforeAll(async () => {
  office = await openOffice({ clock: () => new Date(time) });
});
afterAll(async () => await office[Symbol.asyncDispose]());

const tickets = [0, 1] as const;

type Step =
  | { do: 'approve'; ticket: number; minutes: number | null }
  | { do: 'revoke' | 'close' | 'reopen' | 'start' | 'consent'; ticket: number }
  | { do: 'assign'; ticket: number; to: number | null }
  | { do: 'deactivate' | 'reactivate' | 'license' | 'unlicense' }
  | { do: 'wait'; minutes: number }
  | { do: 'ask'; ticket: number; who: number; action: 'work_item.read' | 'change.apply' };

const anyTicket = fc.constantFrom(...tickets);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('approve' as const),
      ticket: anyTicket,
      minutes: fc.constantFrom(null, null, 20),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('start' as const), ticket: anyTicket }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('revoke' as const, 'close', 'reopen', 'reopen', 'consent', 'consent'),
      ticket: anyTicket,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('assign' as const),
      ticket: anyTicket,
      to: fc.constantFrom(0, 0, 1, null),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'deactivate' as const,
        'reactivate',
        'reactivate',
        'license',
        'license',
        'unlicense',
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(2, 10, 25, 45) }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      ticket: anyTicket,
      who: fc.constantFrom(0, 0, 0, 1),
      action: fc.constantFrom('work_item.read' as const, 'work_item.read', 'change.apply'),
    }),
  },
);

/** What has happened, with its time. Only what was not refused is in a history. */
type Happened = { step: Step; at: number; yes?: boolean };

/** The limits of the sessions and changes in these histories, in milliseconds. */
const idle = 30 * minute;
const longest = 2 * HOUR;
const changeTime = HOUR;

/** The rules in the simplest form: what the history up to now leaves. */
function replay(
  history: readonly Happened[],
  ticket: number,
  who: number,
  action: string,
  now: number,
): boolean {
  let [site, licence, closed] = [true, true, false];
  let assignee: number | null = 0;
  let [grantUntil, consentedUntil] = [Number.POSITIVE_INFINITY, -1];
  let session: { who: number | null; from: number; used: number } | null = null;
  for (const { step, at, yes } of history) {
    if (step.do === 'deactivate' || step.do === 'unlicense') [grantUntil, consentedUntil] = [-1, -1];
    if (step.do === 'deactivate' || step.do === 'reactivate') site = step.do === 'reactivate';
    if (step.do === 'license' || step.do === 'unlicense') licence = step.do === 'license';
    if (!('ticket' in step) || step.ticket !== ticket) continue;
    if (step.do === 'approve') {
      session = null;
      grantUntil = step.minutes === null ? Number.POSITIVE_INFINITY : at + step.minutes * minute;
    }
    if (step.do === 'revoke' || step.do === 'close') grantUntil = -1;
    if (step.do === 'close') consentedUntil = -1;
    if (step.do === 'close' || step.do === 'reopen') closed = step.do === 'close';
    if (step.do === 'assign') {
      if (step.to !== assignee) [session, consentedUntil] = [null, -1];
      assignee = step.to;
    }
    if (step.do === 'start') session = { who: assignee, from: at, used: at };
    if (step.do === 'consent') consentedUntil = at + changeTime;
    if (step.do === 'ask' && yes === true) {
      if (step.action === 'change.apply') consentedUntil = -1;
      // A use is written once a tenth of the idle limit has passed since the last one that was.
      if (session !== null && at - session.used > idle / 10) session.used = at;
    }
  }
  const open = session !== null && now < session.used + idle && now < session.from + longest;
  const granted = assignee === who && session?.who === who && now < grantUntil;
  return site && licence && !closed && granted && open && (action !== 'change.apply' || now < consentedUntil);
}

type Ticket = Awaited<ReturnType<Office['fileTicket']>> & { changeId: string | null };

const nobodys: Ticket = { ticketId: '', key: '', grantId: '', changeId: null };

/** Does the step. Returns whether it was done; for a question, the answer. */
async function perform(step: Step, filed: readonly Ticket[]): Promise<boolean> {
  const { main } = office.world.acme.sites;
  const site = { siteId: rawId(main.id) };
  const operator = 'operator@vendor.example';
  const ticket = 'ticket' in step ? filed[step.ticket] : filed[0];
  if (ticket === undefined) throw new Error('There is no such ticket');
  const { ticketId } = ticket;
  switch (step.do) {
    case 'approve':
      return await done(() =>
        office.approve(ticketId, step.minutes === null ? null : new Date(time + step.minutes * minute)),
      );
    case 'revoke': {
      const grantId = await newestGrant(ticketId);
      return await done(() => office.run(revokeDataAccess, { grantId, expectedVersion: null, reason: null }));
    }
    case 'close':
      return await done(() => office.run(closeTicket, { ticketId }));
    case 'reopen':
      return await done(() => office.run(reopenTicket, { ticketId }));
    case 'assign': {
      const engineerId = step.to === null ? null : engineerOf(step.to).id;
      const isDone = await done(() => office.run(assignTicket, { ticketId, engineerId }, operator));
      if (isDone) await office.sql.query(endSessionsOfOthers, [ticketId, new Date(time)]);
      return isDone;
    }
    case 'deactivate':
      return await done(() => office.run(deactivateSite, site));
    case 'reactivate':
      return await done(() => office.run(reactivateSite, site));
    case 'license':
      return await done(() => office.run(licenseProduct, { ...site, key: 'jira', name: 'Jira' }, operator));
    case 'unlicense':
      return await done(() =>
        office.run(unlicenseProduct, { productId: rawId(main.products.jira) }, operator),
      );
    case 'start':
      return await done(async () =>
        office.startSession(await newestGrant(ticketId), {
          idleSeconds: idle / 1_000,
          seconds: longest / 1_000,
        }),
      );
    case 'consent':
      ticket.changeId = await office.consentToChange(ticketId, { seconds: changeTime / 1_000 });
      return true;
    case 'wait':
      time += step.minutes * minute;
      return true;
    case 'ask': {
      const [answer] = await ask([
        {
          ...{ action: step.action, subject: engineerOf(step.who).email },
          resource:
            step.action === 'change.apply' ? { type: 'project', id: 'ACME' } : { type: 'work_item', id: '1' },
          context: { ticket: ticket.key, ...changeContext(ticket.changeId ?? 'none') },
        },
      ]);
      return answer?.decision === true;
    }
  }
}

const engineerOf = (who: number): { id: string; email: string } => {
  const { engineer, otherEngineer } = office.world;
  const { id, email } = who === 0 ? engineer : otherEngineer;
  return { id: rawId(id), email };
};

/** Whether it was done: the rules, of commands or of the database, may refuse it. */
async function done(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof RefusedError || isBrokenRule(error)) return false;
    throw error;
  }
}

const isBrokenRule = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^23/.test(String(error.code));

async function newestGrant(ticketId: string): Promise<string> {
  const newest = 'SELECT id FROM grants WHERE ticket_id = $1 ORDER BY id DESC LIMIT 1';
  return (await office.sql.query(newest, [ticketId])).rows[0].id;
}

const endSessionsOfOthers = `
  UPDATE support_sessions s SET ended_at = $2, end_reason = 'TICKET_REASSIGNED', version = 2 FROM tickets t
   WHERE t.id = $1 AND s.ticket_id = t.id AND s.ended_at IS NULL AND s.engineer_id IS DISTINCT FROM t.assignee_id`;

const countEvaluations = async (): Promise<number> =>
  (await office.sql.query(`SELECT count(*)::int AS n FROM audit_entries WHERE details ? 'askedBy'`)).rows[0]
    .n;

let ask: ReturnType<Office['openEvaluator']>;

const about = { ticket: 0, who: 0 } as const;
/** A change that is made once, and a session that is used, left alone for too long, and revoked. */
const usual: Step[] = [
  ...[{ do: 'consent', ticket: 0 } as const, { do: 'ask', ...about, action: 'change.apply' } as const],
  { do: 'ask', ...about, action: 'change.apply' },
  ...[{ do: 'wait', minutes: 10 } as const, { do: 'ask', ...about, action: 'work_item.read' } as const],
  ...[{ do: 'wait', minutes: 25 } as const, { do: 'ask', ...about, action: 'work_item.read' } as const],
  ...[{ do: 'wait', minutes: 45 } as const, { do: 'ask', ...about, action: 'work_item.read' } as const],
  ...[{ do: 'revoke', ticket: 0 } as const, { do: 'approve', ticket: 0, minutes: 20 } as const],
  { do: 'start', ticket: 0 },
  { do: 'ask', ...about, action: 'work_item.read' },
];

test(`an answer is yes if and only if the history says so (REPLAY_SEED=${seed})`, async () => {
  ask = office.openEvaluator();
  const begin: Step[] = [
    { do: 'start', ticket: 0 },
    { do: 'ask', ticket: 0, who: 0, action: 'work_item.read' },
  ];
  let yes = 0;
  const histories = fc.array(anyStep, { minLength: 20, maxLength: bySize(30, 60) });
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      const restore: Step[] = [{ do: 'reactivate' }, { do: 'license' }];
      for (const step of restore) await perform(step, [nobodys]);
      const filed: Ticket[] = [];
      for (const _ of tickets) filed.push({ ...(await office.fileTicket()), changeId: null });
      const history: Happened[] = [];
      const before = await countEvaluations();
      let answers = 0;
      for (const step of [...begin, ...steps]) {
        time += 1_000;
        const expected = step.do === 'ask' ? replay(history, step.ticket, step.who, step.action, time) : null;
        const at = time;
        const isDone = await perform(step, filed);
        if (expected !== null) {
          answers += 1;
          if (expected) yes += 1;
          expect({ step, yes: isDone, history }).toEqual({ step, yes: expected, history });
        }
        if (isDone || step.do === 'ask') history.push({ step, at, yes: isDone });
      }
      expect(await countEvaluations()).toBe(before + answers);
    }),
    { seed, numRuns: bySize(5, 400), examples: [[usual]] },
  );
  expect(yes).toBeGreaterThan(0);
});
