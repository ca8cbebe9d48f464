/** What an event does to a ticket in each state, and that the order in which events arrive does not matter. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecisionContext, Outcome } from '../../src/commands/command.ts';
import { defaultRules } from '../../src/commands/command.ts';
import type { TicketFacts } from '../../src/commands/ticket-facts.ts';
import { isOlder, momentOf, momentOfEvent } from '../../src/tickets/moment.ts';
import { decideTicket, type Ticket, type TicketCommand } from '../../src/tickets/ticket.ts';
import { planFor, type Step } from '../../src/webhooks/plan.ts';
import {
  assignAsTold,
  closeAsTold,
  reopenAsTold,
  setStatusAsTold,
  updateAsTold,
} from '../../src/webhooks/ticket-commands.ts';
import type { Content, ToldStatus } from '../../src/webhooks/ticket-event.ts';
import { active, fromNow, NOW, ticket, ticketing } from '../support/builders.ts';
import { consented } from '../support/change-requests.ts';

const MINUTE = 60_000;
const at = (minutes: number, sequence = 0, id = 'msg') =>
  momentOfEvent(fromNow((minutes - 600) * MINUTE), sequence, id);
const [earlier, remembered, later] = [at(1), at(2), at(3)];

const external = (facts: Partial<Ticket> = {}) => {
  const {
    site: _site,
    product: _product,
    ...row
  } = ticket({
    ...{ integrationId: 'desk', externalId: '4711', statusMoment: remembered, assignmentMoment: remembered },
    ...(facts.status === 'CLOSED' ? { closedAt: NOW } : {}),
    ...facts,
  });
  return row;
};

describe('moments', () => {
  test('are ordered by time, then by number, then by id', () => {
    const inOrder = [at(1, 9), at(2), at(2, 1), at(2, 9), at(2, 10), at(2, 10, 'other'), at(3)];
    for (const [index, moment] of inOrder.entries()) {
      for (const before of inOrder.slice(0, index)) expect(isOlder(before, moment)).toBe(true);
      for (const notBefore of inOrder.slice(index)) expect(isOlder(notBefore, moment)).toBe(false);
    }
  });

  test('of Latchkey are after the events of their millisecond, and before those of the next', () => {
    const now = fromNow(0);
    expect(isOlder(momentOfEvent(now, Number.MAX_SAFE_INTEGER, '~~~'), momentOf(now))).toBe(true);
    expect(isOlder(momentOf(now), momentOfEvent(fromNow(1), 0, '!'))).toBe(true);
  });

  test('are not older than nothing', () => {
    expect(isOlder(earlier, null)).toBe(false);
  });
});

describe('what a change in Latchkey makes a ticket remember', () => {
  const changes: [TicketCommand, Partial<Ticket>, Ticket][] = [
    [{ type: 'Close' }, { statusMoment: momentOf(NOW) }, external()],
    [{ type: 'UpdateStatus', status: 'RESOLVED' }, { statusMoment: momentOf(NOW) }, external()],
    [{ type: 'Update', summary: 'Very slow' }, { summaryMoment: momentOf(NOW) }, external()],
    [{ type: 'Update', productId: 'confluence' }, { productMoment: momentOf(NOW) }, external()],
    [{ type: 'Update', status: 'CLOSED' }, { statusMoment: momentOf(NOW) }, external()],
    [{ type: 'Assign', engineerId: 'other' }, { assignmentMoment: momentOf(NOW) }, external()],
    [{ type: 'Reopen', unassign: false }, { statusMoment: momentOf(NOW) }, external({ status: 'CLOSED' })],
    [
      { type: 'Reopen', unassign: true },
      { statusMoment: momentOf(NOW), assignmentMoment: momentOf(NOW) },
      external({ status: 'CLOSED' }),
    ],
  ];

  test.each(changes)('%o', (command, moments, before) => {
    const { statusMoment, assignmentMoment, summaryMoment, productMoment } = { ...before, ...moments };
    const changed = { statusMoment, assignmentMoment, summaryMoment, productMoment };
    expect(decideTicket(before, command, NOW)).toMatchObject({ changed });
  });

  test('is never older than what it remembered', () => {
    const ahead = momentOf(fromNow(MINUTE));
    expect(decideTicket(external({ statusMoment: ahead }), { type: 'Close' }, NOW)).toMatchObject({
      changed: { statusMoment: ahead },
    });
  });

  test('is nothing where no ticketing system tells of it', () => {
    const own = external({
      externalId: null,
      integrationId: null,
      statusMoment: null,
      assignmentMoment: null,
    });
    expect(decideTicket(own, { type: 'Close' }, NOW)).toMatchObject({
      changed: { statusMoment: null, assignmentMoment: null },
    });
  });
});

describe('the plan', () => {
  const statuses: ToldStatus[] = ['OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED'];
  const open = statuses.filter((status) => status !== 'CLOSED');
  const plan = (status: ToldStatus, content: Content, moment: string) =>
    planFor(external({ status }), content, moment);
  const steps = (...taken: Step[]) => ({ steps: taken, assignmentWaits: false });

  test.each(statuses)('for a ticket that is %s is empty for what is older, except for a close', (status) => {
    for (const told of open) expect(plan(status, { status: told }, earlier)).toEqual(steps());
    expect(plan(status, { status: 'CLOSED' }, earlier)).toEqual(steps('CLOSE'));
    expect(plan(status, { engineer: 'e@vendor.example' }, earlier)).toEqual(steps());
  });

  test.each(open)('for a ticket that is %s sets what is told', (status) => {
    for (const told of open) expect(plan(status, { status: told }, later)).toEqual(steps('SET_STATUS'));
    expect(plan(status, { status: 'CLOSED' }, later)).toEqual(steps('CLOSE'));
    expect(plan(status, { engineer: null }, later)).toEqual(steps('ASSIGN'));
    expect(plan(status, { engineer: null, status: 'RESOLVED' }, later)).toEqual(
      steps('SET_STATUS', 'ASSIGN'),
    );
    expect(plan(status, { engineer: null, status: 'CLOSED' }, later)).toEqual(steps('ASSIGN', 'CLOSE'));
  });

  test('for a closed ticket reopens it, and lets an assignment wait for that', () => {
    expect(plan('CLOSED', { status: 'OPEN' }, later)).toEqual(steps('REOPEN'));
    expect(plan('CLOSED', { status: 'RESOLVED' }, later)).toEqual(steps('REOPEN', 'SET_STATUS'));
    expect(plan('CLOSED', { status: 'OPEN', engineer: null }, later)).toEqual(steps('REOPEN', 'ASSIGN'));
    expect(plan('CLOSED', { engineer: null }, later)).toEqual({ steps: [], assignmentWaits: true });
    expect(plan('CLOSED', { engineer: null, status: 'CLOSED' }, later)).toEqual({
      ...{ steps: ['CLOSE'], assignmentWaits: true },
    });
  });

  test('updates what is told first, but after a close', () => {
    expect(plan('OPEN', { summary: 'Slow' }, later)).toEqual(steps('UPDATE'));
    expect(plan('OPEN', { product: 'jira', status: 'RESOLVED', engineer: null }, later)).toEqual(
      steps('UPDATE', 'SET_STATUS', 'ASSIGN'),
    );
    expect(plan('OPEN', { product: 'jira', status: 'CLOSED', engineer: null }, later)).toEqual(
      steps('ASSIGN', 'CLOSE', 'UPDATE'),
    );
    expect(plan('CLOSED', { summary: 'Slow', engineer: null }, later)).toEqual({
      ...{ steps: ['UPDATE'], assignmentWaits: true },
    });
  });

  test('is empty for what a filing tells, which comes again', () => {
    const filing = {
      ...{ summary: 'Slow', site: 'https://acme.example', product: 'jira' },
      ...{ reporter: 'reporter@acme.example', data_access_consent: false },
    };
    expect(plan('OPEN', filing, later)).toEqual(steps());
  });

  test('is empty for an event that tells nothing', () => {
    for (const status of statuses) expect(plan(status, {}, later)).toEqual(steps());
  });
});

const by: DecisionContext = {
  ...{ viewer: ticketing(), now: NOW, rules: defaultRules, isConfirmed: false, relations: new Set() },
};

const factsOf = (row: Ticket, grants: TicketFacts['grants'] = []): TicketFacts => ({
  ...{ ticket: { ...ticket(), ...row }, grants, grant: null },
});

function answered(outcome: Outcome<Ticket>): Ticket {
  if ('refused' in outcome) throw new Error(`Refused: ${outcome.refused.code}`);
  return outcome.answer;
}

describe('a command as told', () => {
  const news = { ticketId: 'ticket', moment: later };

  test('of what is so already only remembers that, as a version of its own', () => {
    const before = external({ status: 'RESOLVED', assigneeId: 'erin' });
    const status = setStatusAsTold.decide(factsOf(before), { ...news, status: 'RESOLVED' }, by);
    expect(status).toMatchObject({ answer: { ...before, statusMoment: later, version: before.version + 1 } });
    expect(status).not.toHaveProperty('entry');
    const assigned = assignAsTold.decide(factsOf(before), { ...news, engineerId: 'erin' }, by);
    expect(answered(assigned)).toMatchObject({ assignmentMoment: later, statusMoment: remembered });
    expect(answered(reopenAsTold.decide(factsOf(before), news, by))).toMatchObject({ status: 'RESOLVED' });
  });

  test('writes nothing when it comes again', () => {
    const before = external({ statusMoment: later });
    const again = setStatusAsTold.decide(factsOf(before), { ...news, status: 'OPEN' }, by);
    expect(again).toEqual({ answer: before });
  });

  test('of what is older writes nothing', () => {
    const before = external({ status: 'CLOSED' });
    const old = { ...news, moment: earlier };
    for (const outcome of [
      setStatusAsTold.decide(factsOf(before), { ...old, status: 'OPEN' }, by),
      reopenAsTold.decide(factsOf(before), old, by),
      assignAsTold.decide(factsOf(before), { ...old, engineerId: 'other' }, by),
      closeAsTold.decide(factsOf(before), { ...old, occurredAt: NOW }, by),
    ])
      expect(outcome).toEqual({ answer: before });
  });

  test('of a close that is older than a reopening ends the grants of then, and leaves the ticket as it is', () => {
    const row = external({ createdAt: fromNow(-5 * MINUTE) });
    const requested = (id: string, minutes: number) =>
      active({ id, ticketId: row.id, requestedAt: fromNow(minutes * MINUTE) });
    const facts = factsOf(row, [requested('filed', -5), requested('before', -90), requested('after', -1)]);
    const closedAt = fromNow(-60 * MINUTE);
    const outcome = closeAsTold.decide(facts, { ...news, moment: earlier, occurredAt: closedAt }, by);
    expect(answered(outcome)).toEqual(row);
    const ended = 'grants' in outcome ? (outcome.grants ?? []) : [];
    expect(ended.map((change) => [change.grant.id, change.grant.state])).toEqual([
      ['filed', 'REVOKED'],
      ['before', 'REVOKED'],
    ]);
  });

  test('of such a close withdraws the changes that were asked for before it', () => {
    const requested = (id: string, minutes: number) =>
      consented({ id, requestedAt: fromNow(minutes * MINUTE), decidedAt: fromNow(minutes * MINUTE) });
    const changeRequests = [requested('before', -90), requested('after', -1)];
    const closedAt = fromNow(-60 * MINUTE);
    const old = { ...news, moment: earlier, occurredAt: closedAt };
    const outcome = closeAsTold.decide({ ...factsOf(external()), changeRequests }, old, by);
    const ended = 'changeRequests' in outcome ? (outcome.changeRequests ?? []) : [];
    expect(ended.map(({ request }) => [request.id, request.state])).toEqual([['before', 'WITHDRAWN']]);
  });
});

type Event = { moment: string; content: Content; isFiling: boolean };

/** Delivers the events in this order, as apply.ts does, without a database. */
function deliverAll(events: readonly Event[]): { row: Ticket | null; waiting: Event[] } {
  let row: Ticket | null = null;
  let waiting: Event[] = [];

  function take(event: Event): void {
    if (row === null && event.isFiling)
      row = external({ assigneeId: null, statusMoment: event.moment, assignmentMoment: null });
    if (row === null) return void waiting.push(event);
    const plan = planFor(row, event.content, event.moment);
    for (const step of plan.steps) row = run(row, step, event);
    if (plan.assignmentWaits) waiting.push(event);
  }

  for (const event of events) {
    take(event);
    for (let pass = 0; pass < 2 && row !== null && (row as Ticket).status !== 'CLOSED'; pass += 1) {
      const ready = waiting.toSorted((one, other) => (one.moment < other.moment ? -1 : 1));
      waiting = [];
      for (const again of ready) take(again);
    }
  }
  return { row, waiting };
}

function run(row: Ticket, step: Step, { moment, content }: Event): Ticket {
  const [facts, news] = [factsOf(row), { ticketId: row.id, moment }];
  const status = content.status === 'CLOSED' || content.status === undefined ? 'OPEN' : content.status;
  switch (step) {
    case 'CLOSE':
      return answered(closeAsTold.decide(facts, { ...news, occurredAt: NOW }, by));
    case 'REOPEN':
      return answered(reopenAsTold.decide(facts, news, by));
    case 'SET_STATUS':
      return answered(setStatusAsTold.decide(facts, { ...news, status }, by));
    case 'UPDATE': {
      const { summary, product } = content;
      const newProduct = product === undefined ? null : { ...factsOf(row).ticket.product, id: product };
      const changes = {
        ...(summary === undefined ? {} : { summary }),
        ...(product === undefined ? {} : { product: { key: product } }),
      };
      return answered(updateAsTold.decide({ ...facts, newProduct }, { ...news, ...changes }, by));
    }
    case 'ASSIGN':
      return answered(
        assignAsTold.decide(
          { ...facts, engineerId: content.engineer ?? null },
          { ...news, engineerId: content.engineer ?? null },
          by,
        ),
      );
  }
}

const told: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ status: fc.constantFrom<ToldStatus>('OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED') }),
  fc.record({ engineer: fc.constantFrom('erin', 'sam', null) }),
  fc.record({ summary: fc.constantFrom('Slow', 'Very slow') }),
  fc.record({
    product: fc.constantFrom('jira', 'confluence'),
    summary: fc.constantFrom('Slow', 'Very slow'),
  }),
  fc.record({
    product: fc.constantFrom('jira', 'confluence'),
    status: fc.constantFrom<ToldStatus>('OPEN', 'CLOSED'),
  }),
  fc.record({
    status: fc.constantFrom<ToldStatus>('OPEN', 'RESOLVED', 'CLOSED'),
    engineer: fc.constantFrom('erin', 'sam', null),
  }),
);

describe('in whichever order the events of a ticket arrive', () => {
  const histories = fc
    .array(told, { minLength: 1, maxLength: 8 })
    .map((contents) => [
      { moment: at(10), content: {} as Content, isFiling: true },
      ...contents.map((content, index) => ({ moment: at(11 + index), content, isFiling: false })),
    ]);
  const shuffled = histories.chain((events) =>
    fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
  );

  test('its status is the last one that was told, and its engineer too while it is not closed', () => {
    fc.assert(
      fc.property(shuffled, ([events, order]) => {
        const { row, waiting } = deliverAll(order);
        const lastOf = (what: 'status' | 'engineer' | 'summary' | 'product') =>
          events.findLast(({ content }) => content[what] !== undefined)?.content[what];
        expect(row?.status).toBe(lastOf('status') ?? 'OPEN');
        const filed = external();
        expect(row?.summary).toBe(lastOf('summary') ?? filed.summary);
        expect(row?.productId).toBe(lastOf('product') ?? filed.productId);
        if (row?.status === 'CLOSED') return;
        expect(row?.assigneeId).toBe(lastOf('engineer') ?? null);
        expect(waiting).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test('a reopening brings the last engineer that was told', () => {
    fc.assert(
      fc.property(shuffled, ([events, order]) => {
        const reopened = { moment: at(99), content: { status: 'OPEN' }, isFiling: false } as const;
        const { row } = deliverAll([...order, reopened]);
        const last = events.findLast(({ content }) => content.engineer !== undefined)?.content.engineer;
        expect([row?.status, row?.assigneeId]).toEqual(['OPEN', last ?? null]);
      }),
      { numRuns: 150 },
    );
  });
});
