/** How long a request waits and how long a grant lasts: to the millisecond, and within the site's policy. */
import { describe, test } from 'vitest';
import type { GrantCommand, GrantTerms } from '../../src/grants/lifecycle.ts';
import {
  active,
  DAY,
  fromNow,
  HOUR,
  MS,
  NOW,
  pendingApproval,
  pendingGuardApproval,
  SECOND,
  terms,
} from '../support/builders.ts';
import { given } from '../support/given-grant.ts';

type Request = Extract<GrantCommand, { type: 'Request' }>;

const request = (waitSeconds: number): Request => ({
  type: 'Request',
  grantId: 'grant',
  ticketId: 'ticket',
  siteId: 'site',
  scope: { kind: 'PRODUCT_DATA' },
  engineerId: 'engineer',
  requestedById: 'engineer',
  justification: null,
  waitSeconds,
});
const approve = (expiresAt: Date | null, on: Partial<GrantTerms> = {}): GrantCommand => ({
  type: 'Approve',
  by: 'admin',
  path: 'SUPPORT_PORTAL',
  expiresAt,
  terms: terms(on),
});
const approveAsGuard = (on: Partial<GrantTerms> = {}): GrantCommand => ({
  type: 'ApproveAsGuard',
  by: 'guard',
  terms: terms({ guardRequired: true, ...on }),
});
const elapseTime: GrantCommand = { type: 'ElapseTime' };
const release: GrantCommand = { type: 'Release', by: 'engineer' };
const hour = { maxGrantSeconds: 3600 };

describe('how long a request waits', () => {
  test.each([1, 90, 14 * 24 * 3600])('%d seconds from when it is made', (seconds) => {
    given(null)
      .when(request(seconds))
      .thenChanged('REQUESTED', { requestedAt: NOW, approvalDueAt: fromNow(seconds * SECOND) });
  });

  test('one millisecond before its wait is over it can be approved', () => {
    given(null)
      .when(request(60))
      .when(approve(null), fromNow(60 * SECOND - MS))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('the moment its wait is over it can not', () => {
    given(null)
      .when(request(60))
      .when(approve(null), fromNow(60 * SECOND))
      .thenRefused('ALREADY_OVER');
  });

  test('approval by the customer does not make it wait longer for the Guard', () => {
    given(null)
      .when(request(60))
      .when(approve(null, { guardRequired: true }), fromNow(59 * SECOND))
      .when(approveAsGuard(), fromNow(60 * SECOND))
      .thenRefused('ALREADY_OVER');
  });

  test('it expired when its wait was over, however late the sweep comes', () => {
    given(null)
      .when(request(60))
      .when(elapseTime, fromNow(365 * DAY))
      .thenChanged('EXPIRED', {
        endReason: 'APPROVAL_TIMED_OUT',
        endedAt: fromNow(60 * SECOND),
        endedById: null,
      });
  });

  test('the sweep leaves it alone one millisecond before', () => {
    given(null)
      .when(request(60))
      .when(elapseTime, fromNow(60 * SECOND - MS))
      .thenUnchanged();
  });
});

describe('how long a grant lasts', () => {
  test('until the ticket closes, when neither policy nor approver sets an end', () => {
    given(pendingApproval())
      .when(approve(null))
      .when(elapseTime, fromNow(1000 * 365 * DAY))
      .thenUnchanged();
  });

  test('one millisecond before its end it is still there to release', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(release, fromNow(HOUR - MS))
      .thenChanged('ENDED', { endReason: 'RELEASED_BY_ENGINEER', endedAt: fromNow(HOUR - MS) });
  });

  test('at its end there is nothing left to release, or to revoke', () => {
    const atItsEnd = given(active({ expiresAt: fromNow(HOUR) }));
    atItsEnd.when(release, fromNow(HOUR)).thenRefused('ALREADY_OVER');
    atItsEnd.when({ type: 'Revoke', by: 'admin', asGuard: false }, fromNow(HOUR)).thenRefused('ALREADY_OVER');
  });

  test('a ticket that closes after its end does not rewrite why it ended', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(elapseTime, fromNow(DAY))
      .when({ type: 'CloseTicket', by: 'ticketing' }, fromNow(DAY))
      .thenUnchanged();
  });

  test('it ended when its time ran out, however late the sweep comes', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(elapseTime, fromNow(365 * DAY))
      .thenChanged('ENDED', { endReason: 'TIME_ELAPSED', endedAt: fromNow(HOUR), endedById: null });
  });
});

describe('an end set by the approver', () => {
  describe.each([false, true])('restricted site: %s', (guardRequired) => {
    const event = guardRequired ? 'AWAITING_GUARD' : 'ACTIVATED';

    test('must be after the approval: the very moment is too late', () => {
      given(pendingApproval()).when(approve(NOW, { guardRequired })).thenRefused('EXPIRES_AT_IN_THE_PAST');
      given(pendingApproval())
        .when(approve(fromNow(-MS), { guardRequired }))
        .thenRefused('EXPIRES_AT_IN_THE_PAST');
    });

    test('one millisecond later is enough', () => {
      given(pendingApproval())
        .when(approve(fromNow(MS), { guardRequired }))
        .thenChanged(event, { expiresAt: fromNow(MS) });
    });

    test('may be as late as the policy allows', () => {
      given(pendingApproval())
        .when(approve(fromNow(HOUR), { guardRequired, ...hour }))
        .thenChanged(event, { expiresAt: fromNow(HOUR) });
    });

    test('not one millisecond later', () => {
      given(pendingApproval())
        .when(approve(fromNow(HOUR + MS), { guardRequired, ...hour }))
        .thenRefused('EXPIRES_AT_BEYOND_POLICY');
    });

    test('in the past is said before beyond the policy', () => {
      given(pendingApproval())
        .when(approve(NOW, { guardRequired, maxGrantSeconds: 0 }))
        .thenRefused('EXPIRES_AT_IN_THE_PAST');
    });

    test('may be any later moment where the policy sets none', () => {
      const lateIndeed = fromNow(1000 * 365 * DAY);
      given(pendingApproval())
        .when(approve(lateIndeed, { guardRequired }))
        .thenChanged(event, { expiresAt: lateIndeed });
    });
  });
});

describe("the policy's limit", () => {
  test('ends a grant that the approver set no end to', () => {
    given(pendingApproval())
      .when(approve(null, hour))
      .thenChanged('ACTIVATED', { activatedAt: NOW, expiresAt: fromNow(HOUR) });
  });

  test('counts from the activation, not from when the customer approved', () => {
    given(pendingApproval())
      .when(approve(null, { guardRequired: true, ...hour }))
      .when(approveAsGuard(hour), fromNow(DAY))
      .thenChanged('ACTIVATED', { activatedAt: fromNow(DAY), expiresAt: fromNow(DAY + HOUR) });
  });

  test('does not run while the Guard decides: without an end set, only the wait does', () => {
    given(pendingApproval({ approvalDueAt: fromNow(2 * DAY) }))
      .when(approve(null, { guardRequired: true, ...hour }))
      .when(elapseTime, fromNow(2 * DAY - MS))
      .thenUnchanged();
  });

  test('leaves an earlier end set by the approver alone when the Guard approves', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR - MS) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR - MS) });
  });

  test('is the same as the end set by the approver, when they coincide', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that became shorter meanwhile shortens what the customer approved', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR + MS) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that was lifted meanwhile does not lengthen what the customer approved', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR) }))
      .when(approveAsGuard({ maxGrantSeconds: null }))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('absent throughout, the grant lasts until the ticket closes', () => {
    given(pendingGuardApproval({ expiresAt: null }))
      .when(approveAsGuard({ maxGrantSeconds: null }))
      .thenChanged('ACTIVATED', { expiresAt: null });
  });
});

describe('the window that the customer approved, while the Guard decides', () => {
  const until = fromNow(HOUR);
  const waitsForGuard = given(pendingApproval()).when(approve(until, { guardRequired: true }));

  test('can be approved one millisecond before it is over', () => {
    waitsForGuard
      .when(approveAsGuard(), fromNow(HOUR - MS))
      .thenChanged('ACTIVATED', { activatedAt: fromNow(HOUR - MS), expiresAt: until });
  });

  test('cannot be approved once it has gone by, though the request would still wait', () => {
    waitsForGuard.when(approveAsGuard(), until).thenRefused('ALREADY_OVER');
    waitsForGuard.when({ type: 'DenyAsGuard', by: 'guard' }, until).thenRefused('ALREADY_OVER');
  });

  test('gone by, it expired at its own end', () => {
    waitsForGuard
      .when(elapseTime, fromNow(30 * DAY))
      .thenChanged('EXPIRED', { endReason: 'APPROVAL_TIMED_OUT', endedAt: until });
  });
});
