/** Invariants of the lifecycle, for random commands at random times. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GrantEventType } from '../../src/events/kinds/grant.ts';
import {
  type EndReason,
  expiryOf,
  type FinalGrant,
  type Grant,
  type GrantState,
  hasExpired,
  isOpen,
} from '../../src/grants/grant.ts';
import { decide } from '../../src/grants/lifecycle.ts';
import { deepFreeze } from '../support/deep-freeze.ts';
import { grantAfter } from '../support/given-grant.ts';
import { anyCommand, history, type Step } from '../support/grant-histories.ts';
import { bySize } from '../support/size.ts';

/** The transitions from each state. A change of engineer or deadline does not change the state. */
const arrows: Record<GrantState | 'none', GrantState[]> = {
  none: ['PENDING_APPROVAL'],
  PENDING_APPROVAL: [
    'PENDING_APPROVAL',
    'PENDING_GUARD_APPROVAL',
    'ACTIVE',
    'DENIED',
    'WITHDRAWN',
    'EXPIRED',
  ],
  PENDING_GUARD_APPROVAL: [
    'PENDING_APPROVAL',
    'PENDING_GUARD_APPROVAL',
    'ACTIVE',
    'DENIED',
    'WITHDRAWN',
    'EXPIRED',
  ],
  ACTIVE: ['ACTIVE', 'REVOKED', 'ENDED'],
  DENIED: [],
  WITHDRAWN: [],
  EXPIRED: [],
  REVOKED: [],
  ENDED: [],
};

const reasons: { [State in FinalGrant['state']]: Extract<FinalGrant, { state: State }>['endReason'][] } = {
  DENIED: ['DENIED_BY_CUSTOMER', 'DENIED_BY_GUARD'],
  WITHDRAWN: [
    'WITHDRAWN_BY_ENGINEER',
    'TICKET_CLOSED',
    'SITE_DEACTIVATED',
    'PRODUCT_UNLICENSED',
    'PRODUCT_CHANGED',
  ],
  EXPIRED: ['APPROVAL_TIMED_OUT'],
  REVOKED: ['REVOKED_BY_CUSTOMER', 'TICKET_CLOSED'],
  ENDED: [
    'TIME_ELAPSED',
    'RELEASED_BY_ENGINEER',
    'SITE_DEACTIVATED',
    'PRODUCT_UNLICENSED',
    'PRODUCT_CHANGED',
  ],
};

/** The event of a transition. A change without a transition is a reassignment or an earlier deadline. */
function told(before: Grant | null, { state, engineerId }: Grant): GrantEventType {
  if (before?.state === state) return before.engineerId === engineerId ? 'WAIT_SHORTENED' : 'REASSIGNED';
  return before?.state === 'PENDING_GUARD_APPROVAL' && state === 'PENDING_APPROVAL'
    ? 'APPROVAL_LAPSED'
    : toldOf[state];
}
const toldOf: Record<GrantState, GrantEventType> = {
  PENDING_APPROVAL: 'REQUESTED',
  PENDING_GUARD_APPROVAL: 'AWAITING_GUARD',
  ACTIVE: 'ACTIVATED',
  DENIED: 'DENIED',
  WITHDRAWN: 'WITHDRAWN',
  EXPIRED: 'EXPIRED',
  REVOKED: 'REVOKED',
  ENDED: 'ENDED',
};

const stateOf = (grant: Grant | null): GrantState | 'none' => grant?.state ?? 'none';

function holdsOfEveryHistory(law: (steps: Step[]) => void): void {
  fc.assert(
    fc.property(history, (steps) => {
      law(steps);
    }),
    { numRuns: bySize(200, 2_000) },
  );
}

function holdsInEveryStep(law: (step: Step) => void): void {
  holdsOfEveryHistory((steps) => steps.forEach(law));
}

describe('change', () => {
  test('is a transition of the lifecycle, with the matching event', () => {
    holdsInEveryStep(({ before, decision }) => {
      if (!('changed' in decision)) return;
      const { event, grant } = decision.changed;
      expect(arrows[stateOf(before)]).toContain(grant.state);
      expect(event).toBe(told(before, grant));
    });
  });

  test('never touches a grant that is over', () => {
    holdsInEveryStep(({ before, decision }) => {
      if (before === null || isOpen(before)) return;
      expect(decision).not.toHaveProperty('changed');
    });
  });

  test('increases the version by exactly one, starting at one', () => {
    holdsOfEveryHistory((steps) => {
      const changes = steps.filter(({ decision }) => 'changed' in decision);
      expect(changes.map(({ after }) => after?.version)).toEqual(changes.map((_, index) => index + 1));
    });
  });

  test('never changes the facts of the request', () => {
    holdsInEveryStep(({ before, after }) => {
      if (before === null || after === null) return;
      for (const fact of [
        'id',
        'organizationId',
        'ticketId',
        'siteId',
        'scope',
        'requestedById',
        'justification',
      ] as const) {
        expect(after[fact]).toEqual(before[fact]);
      }
      expect(after.requestedAt).toEqual(before.requestedAt);
      expect(after.terms).toEqual(before.terms);
    });
  });

  test('moves the deadline of a request only where its site lets requests wait less long, and only forward', () => {
    holdsInEveryStep(({ before, command, now, after }) => {
      if (before === null || after === null) return;
      const shortened = now.getTime() >= before.requestedAt.getTime() && command.type === 'ShortenWait';
      const waits = isOpen(before) && before.state !== 'ACTIVE' && !hasExpired(before, now);
      const longest = shortened && waits ? command.waitSeconds * 1000 : Infinity;
      const due = Math.max(now.getTime(), before.requestedAt.getTime() + longest);
      expect(after.approvalDueAt.getTime()).toBe(Math.min(before.approvalDueAt.getTime(), due));
      expect(after.approvalDueAt.getTime()).toBeGreaterThan(after.requestedAt.getTime());
    });
  });

  test('that lets an approval lapse leaves the request as it was before the approval', () => {
    holdsOfEveryHistory((steps) => {
      let asked: Grant | null = null;
      for (const { before, decision, after } of steps) {
        if (!('changed' in decision)) continue;
        const { event } = decision.changed;
        if (event === 'AWAITING_GUARD') asked = before;
        if (event !== 'APPROVAL_LAPSED' || asked === null) continue;
        const { version, engineerId, approvalDueAt } = after ?? expect.unreachable();
        expect(after).toStrictEqual({ ...asked, version, engineerId, approvalDueAt });
      }
    });
  });

  test('other than reassigning keeps the engineer', () => {
    holdsInEveryStep(({ before, decision }) => {
      if (before === null || !('changed' in decision) || decision.changed.event === 'REASSIGNED') return;
      expect(decision.changed.grant.engineerId).toBe(before.engineerId);
    });
  });

  test('passes an open grant to each engineer who is assigned, and to nobody else', () => {
    holdsInEveryStep(({ before, command, now, after }) => {
      if (command.type !== 'Reassign' || before === null || !isOpen(before) || hasExpired(before, now))
        return;
      expect(after).toEqual({
        ...before,
        engineerId: command.engineerId,
        version: before.version + (command.engineerId === before.engineerId ? 0 : 1),
      });
    });
  });
});

describe('a decision', () => {
  test('does not modify the grant or the command, and is the same when repeated', () => {
    holdsInEveryStep(({ before, command, now, decision }) => {
      const untouched = structuredClone({ before, command, now });
      const again = decide(deepFreeze(before), deepFreeze(command), now);
      expect(again).toStrictEqual(decision);
      expect({ before, command, now }).toStrictEqual(untouched);
    });
  });

  test('is recorded with the person who gave the command, and only if a person decided', () => {
    holdsInEveryStep(({ command, decision }) => {
      if (!('changed' in decision)) return;
      const { decision: made, event } = decision.changed;
      expect(made !== null).toBe(['AWAITING_GUARD', 'ACTIVATED', 'DENIED'].includes(event));
      if (made !== null) {
        expect(made.outcome).toBe(event === 'DENIED' ? 'DENIED' : 'APPROVED');
        expect(made.by).toBe('by' in command ? command.by : undefined);
      }
    });
  });
});

describe('access', () => {
  test('begins with approvals of both stages if the site was restricted at the opening or at the approval', () => {
    holdsOfEveryHistory((steps) => {
      let approvals: string[] = [];
      let needsGuard = false;
      for (const { before, command, decision } of steps) {
        if (!('changed' in decision)) continue;
        const { event, decision: made } = decision.changed;
        if (command.type === 'Approve')
          needsGuard = command.terms.guardRequired || before?.terms?.guardRequired === true;
        if (event === 'APPROVAL_LAPSED') approvals = [];
        if (made?.outcome === 'APPROVED') approvals.push(made.stage);
        if (event === 'AWAITING_GUARD') expect([needsGuard, ...approvals]).toEqual([true, 'CUSTOMER']);
        if (event === 'ACTIVATED')
          expect(approvals).toEqual(needsGuard ? ['CUSTOMER', 'GUARD'] : ['CUSTOMER']);
      }
    });
  });

  test('is never approved twice by one person, unless the opening and the present policy say so', () => {
    holdsInEveryStep(({ before, command, decision }) => {
      if (before?.state !== 'PENDING_GUARD_APPROVAL' || command.type !== 'ApproveAsGuard') return;
      if (!('changed' in decision) || command.by !== before.customerApprovedById) return;
      expect([command.terms, before.terms].map((one) => one.samePersonMayApproveTwice)).toEqual([true, true]);
    });
  });

  test('is decided by no Guard admin who was appointed after the approval', () => {
    holdsInEveryStep(({ before, command, decision }) => {
      if (before?.state !== 'PENDING_GUARD_APPROVAL' || !('guardAdminSince' in command)) return;
      if (!('changed' in decision)) return;
      expect(command.guardAdminSince.getTime()).toBeLessThanOrEqual(before.customerApprovedAt.getTime());
    });
  });

  test('ends after it began, no later than the opening, the present policy and the approver allow', () => {
    holdsInEveryStep(({ before, command, now, decision }) => {
      if (!('changed' in decision) || decision.changed.event !== 'ACTIVATED') return;
      const { grant } = decision.changed;
      if (!('terms' in command) || grant.state !== 'ACTIVE') return expect.unreachable();
      expect(grant.activatedAt).toEqual(now);
      const approved =
        command.type === 'Approve'
          ? command.expiresAt
          : before?.state === 'PENDING_GUARD_APPROVAL'
            ? before.expiresAt
            : null;
      const limits = [grant.terms, command.terms].map(
        ({ maxGrantSeconds }) => now.getTime() + (maxGrantSeconds ?? Infinity) * 1000,
      );
      const allowed = [approved?.getTime() ?? Infinity, ...limits];
      const end = grant.expiresAt?.getTime() ?? Infinity;
      expect(end).toBe(Math.min(...allowed));
      expect(end).toBeGreaterThan(now.getTime());
    });
  });

  test('is over from its end on: every command of a person is refused', () => {
    holdsInEveryStep(({ before, command, now, decision }) => {
      if (before === null || !isOpen(before) || !hasExpired(before, now)) return;
      const settled = grantAfter(before, decide(before, { type: 'ElapseTime' }, now));
      expect(settled !== null && isOpen(settled)).toBe(false);
      if (command.type !== 'ElapseTime') expect(decision).toStrictEqual(decide(settled, command, now));
    });
  });
});

describe('a grant that is over', () => {
  test('has an end reason that belongs to its state, and an end time', () => {
    holdsInEveryStep(({ before, now, decision }) => {
      if (!('changed' in decision) || isOpen(decision.changed.grant)) return;
      const { grant } = decision.changed;
      if (isOpen(grant) || before === null || !isOpen(before)) return expect.unreachable();
      expect(reasons[grant.state]).toContain(grant.endReason);
      const byTime = ['TIME_ELAPSED', 'APPROVAL_TIMED_OUT'].includes(grant.endReason);
      expect(grant.endedAt).toEqual(byTime ? expiryOf(before) : now);
      expect(grant.endedById === null).toBe(byTime);
      expect(grant.endedAt.getTime()).toBeGreaterThanOrEqual(grant.requestedAt.getTime());
      expect('activatedAt' in grant).toBe(before.state === 'ACTIVE');
    });
  });

  test('does not change under any sequence of commands', () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.tuple(anyCommand, fc.date({ noInvalidDate: true }))),
        (steps, more) => {
          const last = steps.at(-1)?.after ?? null;
          fc.pre(last !== null && !isOpen(last));
          const ended = structuredClone(last);
          const end = more.reduce<Grant | null>(
            (grant, [command, now]) => grantAfter(grant, decide(grant, command, now)),
            last,
          );
          expect(end).toStrictEqual(ended);
        },
      ),
      { numRuns: bySize(200, 2_000) },
    );
  });
});

test('random histories cover every transition and every end reason', () => {
  const taken = new Set<string>();
  const ends = new Set<`${FinalGrant['state']} ${EndReason}`>();
  for (const steps of fc.sample(history, { numRuns: 4000, seed: 1 })) {
    for (const { before, decision } of steps) {
      if (!('changed' in decision)) continue;
      const { grant } = decision.changed;
      taken.add(`${stateOf(before)} → ${grant.state}`);
      if (!isOpen(grant)) ends.add(`${grant.state} ${grant.endReason}`);
    }
  }
  const allArrows = Object.entries(arrows).flatMap(([from, to]) => to.map((state) => `${from} → ${state}`));
  const allEnds = Object.entries(reasons).flatMap(([state, all]) =>
    all.map((reason) => `${state} ${reason}`),
  );
  expect([...taken].sort()).toEqual(allArrows.sort());
  expect([...ends].sort()).toEqual(allEnds.sort());
});
