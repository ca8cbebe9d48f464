/**
 * Random histories of commands, on a real database: an answer is yes if and only if a straightforward replay of the
 * history says so, and there are as many entries as answers.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { deactivateSite, reactivateSite } from '../../src/commands/change-site.ts';
import { assignTicket, closeTicket, reopenTicket } from '../../src/commands/change-ticket.ts';
import {
  consentToChange,
  revokeChangeConsent,
  withdrawChangeRequest,
} from '../../src/commands/decide-change-request.ts';
import { licenseProduct, unlicenseProduct } from '../../src/commands/provision-organization.ts';
import { RefusedError } from '../../src/commands/refusal.ts';
import { releaseDataAccess } from '../../src/commands/release-data-access.ts';
import { requestChange } from '../../src/commands/request-change.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { setSupportAccessPolicy } from '../../src/commands/support-access-policy.ts';
import { endSupportSession, startSupportSession } from '../../src/commands/support-sessions.ts';
import { DAY, HOUR } from '../support/builders.ts';
import { rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { countEvaluations } from './ledger.ts';
import { changeContext, type Office, openOffice } from './office.ts';

vi.setConfig({ testTimeout: bySize(240_000, 3_600_000) });

const seed = seedOf('REPLAY_SEED');
const minute = 60_000;

/** The limits of the sessions and changes in these histories, in milliseconds. */
const idle = 30 * minute;
const longest = 2 * HOUR;
const changeTime = HOUR;

let office: Office;
/** The clock of the database, as far as commands and evaluations know. It moves a second with each step. */
let time = Date.now();
const stepMs = 1_000;

beforeAll(async () => {
  office = await openOffice({ clock: () => new Date(time) });
  await office.run(setSupportAccessPolicy, {
    ...{ siteId: siteId(), requestWaitSeconds: (14 * DAY) / 1_000, maxGrantSeconds: null },
    ...{ samePersonMayApproveTwice: false, relayedConsentCounts: null },
    ...{ sessionIdleSeconds: idle / 1_000, maxSessionSeconds: longest / 1_000 },
  });
});
afterAll(async () => await office[Symbol.asyncDispose]());

const tickets = [0, 1] as const;
const limits = ['grant', 'idle', 'session', 'change'] as const;

type Step =
  | { do: 'approve'; ticket: number; minutes: number | null }
  | { do: 'revoke' | 'close' | 'reopen' | 'consent' | 'takeBack'; ticket: number }
  | { do: 'start' | 'end' | 'release' | 'request' | 'withdraw'; ticket: number; who: number }
  | { do: 'assign'; ticket: number; to: number | null }
  | { do: 'deactivate' | 'reactivate' | 'license' | 'unlicense' }
  | { do: 'wait'; minutes: number }
  /** Moves the clock so that the next step is at this limit of the ticket, or so many milliseconds beside it. */
  | { do: 'waitFor'; limit: (typeof limits)[number]; beside: number; ticket: number }
  | { do: 'ask'; ticket: number; who: number; action: 'work_item.read' | 'change.apply' };

const ticket = fc.constantFrom(...tickets);
/** Mostly the engineer of the ticket. */
const who = fc.constantFrom(0, 0, 0, 1);
const doing = <Name extends Step['do']>(...names: Name[]) => fc.constantFrom(...names);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: doing('approve'), ticket, minutes: fc.constantFrom(null, null, 20) }),
  },
  { weight: 6, arbitrary: fc.record({ do: doing('start', 'start', 'request'), ticket, who }) },
  { weight: 3, arbitrary: fc.record({ do: doing('consent'), ticket }) },
  { weight: 2, arbitrary: fc.record({ do: doing('revoke', 'close', 'takeBack'), ticket }) },
  { weight: 2, arbitrary: fc.record({ do: doing('reopen'), ticket }) },
  { weight: 1, arbitrary: fc.record({ do: doing('end', 'release', 'withdraw'), ticket, who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: doing('assign'), ticket, to: fc.constantFrom(0, 0, 1, null) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: doing('deactivate', 'reactivate', 'reactivate', 'license', 'license', 'unlicense'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: doing('wait'), minutes: fc.constantFrom(2, 10, 25, 45) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ do: doing('waitFor'), ticket },
      ...{ limit: fc.constantFrom(...limits), beside: fc.constantFrom(-1, 0, 1) },
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      ...{ do: doing('ask'), ticket, who },
      action: fc.constantFrom('work_item.read' as const, 'work_item.read', 'change.apply'),
    }),
  },
);

/** What has happened, with its time. Only what was not refused is in a history. */
type Happened = { step: Step; at: number; yes?: boolean };

/** What a history leaves of a ticket. Times are milliseconds; -1: over. */
type Left = {
  site: boolean;
  licence: boolean;
  closed: boolean;
  assignee: number | null;
  grantUntil: number;
  session: { who: number; from: number; used: number } | null;
  change: { until: number; consented: boolean } | null;
};

/** The rules in the simplest form: what the history up to now leaves. */
function replay(history: readonly Happened[], ticket: number): Left {
  const left: Left = {
    ...{ site: true, licence: true, closed: false, assignee: 0 },
    ...{ grantUntil: Number.POSITIVE_INFINITY, session: null, change: null },
  };
  for (const { step, at, yes } of history) {
    if ('ticket' in step && step.ticket !== ticket) continue;
    switch (step.do) {
      case 'deactivate':
      case 'unlicense':
        left[step.do === 'deactivate' ? 'site' : 'licence'] = false;
        [left.grantUntil, left.change] = [-1, null];
        break;
      case 'reactivate':
        left.site = true;
        break;
      case 'license':
        left.licence = true;
        break;
      case 'approve':
        left.session = null;
        left.grantUntil = step.minutes === null ? Number.POSITIVE_INFINITY : at + step.minutes * minute;
        break;
      case 'revoke':
      case 'release':
        left.grantUntil = -1;
        break;
      case 'close':
        [left.closed, left.grantUntil, left.change] = [true, -1, null];
        break;
      case 'reopen':
        left.closed = false;
        break;
      case 'assign':
        if (step.to !== left.assignee) [left.session, left.change] = [null, null];
        left.assignee = step.to;
        break;
      case 'start':
        left.session = { who: step.who, from: at, used: at };
        break;
      case 'end':
        left.session = null;
        break;
      case 'request':
        left.change = { until: at + changeTime, consented: false };
        break;
      case 'consent':
        if (left.change !== null) left.change = { ...left.change, consented: true };
        break;
      case 'takeBack':
      case 'withdraw':
        left.change = null;
        break;
      case 'ask':
        if (yes !== true) break;
        if (step.action === 'change.apply') left.change = null;
        // A use is written once a tenth of the idle limit has passed since the last one that was.
        if (left.session !== null && at - left.session.used >= idle / 10)
          left.session = { ...left.session, used: at };
        break;
    }
  }
  return left;
}

function allows(left: Left, who: number, action: string, now: number): boolean {
  const { site, licence, closed, assignee, grantUntil, session, change } = left;
  if (!site || !licence || closed || assignee !== who || now >= grantUntil) return false;
  if (session?.who !== who || now >= session.used + idle || now >= session.from + longest) return false;
  return action !== 'change.apply' || (change?.consented === true && now < change.until);
}

/** When this limit is reached; null: there is none. */
function limitOf({ grantUntil, session, change }: Left, limit: (typeof limits)[number]): number | null {
  switch (limit) {
    case 'grant':
      return Number.isFinite(grantUntil) ? grantUntil : null;
    case 'idle':
      return session === null ? null : session.used + idle;
    case 'session':
      return session === null ? null : session.from + longest;
    case 'change':
      return change === null ? null : change.until;
  }
}

type Ticket = Awaited<ReturnType<Office['fileTicket']>> & { changeRequestId: string | null };

const operator = 'operator@vendor.example';
const siteId = (): string => rawId(office.world.acme.sites.main.id);
const withoutReason = { expectedVersion: null, reason: null } as const;

/** Does a step on the site. Returns whether it was done. */
async function performOnSite({ do: name }: { do: Step['do'] }): Promise<boolean> {
  const site = { siteId: siteId() };
  const productId = rawId(office.world.acme.sites.main.products.jira);
  switch (name) {
    case 'deactivate':
      return await done(() => office.run(deactivateSite, site));
    case 'reactivate':
      return await done(() => office.run(reactivateSite, site));
    case 'license':
      return await done(() => office.run(licenseProduct, { ...site, key: 'jira', name: 'Jira' }, operator));
    default:
      return await done(() => office.run(unlicenseProduct, { productId }, operator));
  }
}

type OnTicket = Exclude<Extract<Step, { ticket: number }>, { do: 'waitFor' }>;

/** Does a step on a ticket. Returns whether it was done; for a question, the answer. */
async function performOnTicket(step: OnTicket, filed: Ticket): Promise<boolean> {
  const { ticketId } = filed;
  const as = engineerOf('who' in step ? step.who : 0).email;
  const change = { changeRequestId: filed.changeRequestId ?? ticketId, ...withoutReason };
  switch (step.do) {
    case 'approve': {
      const expiresAt = step.minutes === null ? null : new Date(time + step.minutes * minute);
      return await done(() => office.approve(ticketId, expiresAt));
    }
    case 'revoke': {
      const grantId = await newest('grants', ticketId);
      return await done(() => office.run(revokeDataAccess, { grantId, ...withoutReason }));
    }
    case 'release': {
      const grantId = await newest('grants', ticketId);
      return await done(() => office.run(releaseDataAccess, { grantId, ...withoutReason }, as));
    }
    case 'close':
      return await done(() => office.run(closeTicket, { ticketId }));
    case 'reopen':
      return await done(() => office.run(reopenTicket, { ticketId }));
    case 'assign': {
      const engineerId = step.to === null ? null : engineerOf(step.to).id;
      return await done(() => office.run(assignTicket, { ticketId, engineerId }, operator));
    }
    case 'start': {
      const grantId = await newest('grants', ticketId);
      const asked = { reason: 'INVESTIGATE_PROBLEM', note: 'Looks', country: 'DE' } as const;
      return await done(() => office.run(startSupportSession, { grantId, ...asked }, as));
    }
    case 'end': {
      const sessionId = await newest('support_sessions', ticketId);
      return await done(() => office.run(endSupportSession, { sessionId }, as));
    }
    case 'request':
      return await done(async () => {
        const asked = {
          ...{ ticketId, kind: 'PERMISSIONS' as const, resourceType: 'project', resourceId: 'ACME' },
          ...{ description: 'Let support in', justification: 'To see it' },
          validUntil: new Date(time + changeTime),
        };
        filed.changeRequestId = (await office.run(requestChange, asked, as)).id;
      });
    case 'consent':
      return await done(() => office.run(consentToChange, change));
    case 'takeBack':
      return await done(() => office.run(revokeChangeConsent, change));
    case 'withdraw':
      return await done(() => office.run(withdrawChangeRequest, change, as));
    case 'ask': {
      const { action } = step;
      const isChange = action === 'change.apply';
      const [answer] = await ask([
        {
          ...{ action, subject: as },
          resource: isChange ? { type: 'project', id: 'ACME' } : { type: 'work_item', id: '1' },
          context: { ticket: filed.key, ...changeContext(change.changeRequestId) },
        },
      ]);
      return answer?.decision === true;
    }
  }
}

const engineerOf = (number: number): { id: string; email: string } => {
  const { engineer, otherEngineer } = office.world;
  const { id, email } = number === 0 ? engineer : otherEngineer;
  return { id: rawId(id), email };
};

/** Whether it was done, or refused by the rules. */
async function done(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

/** The id of the newest of the ticket; of the ticket itself, which names nothing there, if there is none. */
async function newest(table: 'grants' | 'support_sessions', ticketId: string): Promise<string> {
  const { rows } = await office.sql.query(
    `SELECT id FROM ${table} WHERE ticket_id = $1 ORDER BY id DESC LIMIT 1`,
    [ticketId],
  );
  return rows[0]?.id ?? ticketId;
}

let ask: ReturnType<Office['openEvaluator']>;

/** Performs the step at the present time, and notes it in the history if it was done. Returns the answer to a question. */
async function take(step: Step, filed: readonly Ticket[], history: Happened[]): Promise<boolean | null> {
  const at = time;
  if (step.do === 'wait') {
    time += step.minutes * minute;
    return null;
  }
  const of = 'ticket' in step ? filed[step.ticket] : undefined;
  if (step.do === 'waitFor') {
    const limit = limitOf(replay(history, step.ticket), step.limit);
    // The clock never goes back.
    if (limit !== null) time = Math.max(time, limit + step.beside - stepMs);
    return null;
  }
  if (!('ticket' in step) || of === undefined) {
    if (await performOnSite(step)) history.push({ step, at });
    return null;
  }
  const isDone = await performOnTicket(step, of);
  if (step.do === 'ask') history.push({ step, at, yes: isDone });
  else if (isDone) history.push({ step, at });
  return step.do === 'ask' ? isDone : null;
}

const about = { ticket: 0, who: 0 } as const;
const read: Step = { do: 'ask', ...about, action: 'work_item.read' };
const apply: Step = { do: 'ask', ...about, action: 'change.apply' };
const until = (limit: (typeof limits)[number], beside: number): Step => ({
  ...{ do: 'waitFor', ticket: 0, limit, beside },
});
/** A change that is made once; a session that is used up to a millisecond before each of its limits, and not at it. */
const usual: Step[] = [
  ...[{ do: 'request', ...about } as const, apply, { do: 'consent', ticket: 0 } as const, apply, apply],
  ...[{ do: 'request', ...about } as const, { do: 'consent', ticket: 0 } as const],
  ...[until('idle', -1), read, until('idle', -1), read, until('change', 0), apply, read],
  ...[until('idle', -1), read, until('session', -1), read, until('session', 0), read],
  ...[{ do: 'start', ...about } as const, until('idle', 0), read, { do: 'start', ...about } as const, read],
  ...[{ do: 'revoke', ticket: 0 } as const, { do: 'approve', ticket: 0, minutes: 20 } as const],
  ...[{ do: 'start', ...about } as const, until('grant', -1), read, until('grant', 0), read],
];

test(`an answer is yes if and only if the history says so (REPLAY_SEED=${seed})`, async () => {
  ask = office.openEvaluator();
  const begin: Step[] = [{ do: 'start', ...about }, read];
  let yes = 0;
  const histories = fc.array(anyStep, { minLength: 20, maxLength: bySize(30, 60) });
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      for (const step of [{ do: 'reactivate' }, { do: 'license' }] as const) await performOnSite(step);
      const filed: Ticket[] = [];
      for (const _ of tickets) filed.push({ ...(await office.fileTicket()), changeRequestId: null });
      const history: Happened[] = [];
      const before = await countEvaluations(office.sql);
      let answers = 0;
      for (const step of [...begin, ...steps]) {
        time += stepMs;
        const expected =
          step.do === 'ask' ? allows(replay(history, step.ticket), step.who, step.action, time) : null;
        const answer = await take(step, filed, history);
        expect({ step, answer, history }).toEqual({ step, answer: expected, history });
        if (answer !== null) answers += 1;
        if (answer === true) yes += 1;
      }
      expect(await countEvaluations(office.sql)).toBe(before + answers);
    }),
    { seed, numRuns: bySize(5, 400), examples: [[usual]] },
  );
  expect(yes).toBeGreaterThan(0);
});
