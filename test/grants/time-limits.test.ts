/** How long a request waits and how long a grant lasts: to the millisecond, and within the site's policy. */
import { describe, test } from 'vitest';
import type { GrantCommand } from '../../src/grants/lifecycle.ts';
import type { GrantTerms } from '../../src/grants/terms.ts';
import {
  active,
  DAY,
  fromNow,
  HOUR,
  longGuardAdmin,
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
  organizationId: 'organization',
  ticketId: 'ticket',
  siteId: 'site',
  scope: { kind: 'PRODUCT_DATA' },
  engineerId: 'engineer',
  requestedById: 'engineer',
  justification: null,
  waitSeconds,
  terms: terms(),
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
  ...longGuardAdmin,
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

  test('it can be approved one millisecond before its deadline', () => {
    given(null)
      .when(request(60))
      .when(approve(null), fromNow(60 * SECOND - MS))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('it cannot be approved at its deadline', () => {
    given(null)
      .when(request(60))
      .when(approve(null), fromNow(60 * SECOND))
      .thenRefused('ALREADY_OVER');
  });

  test('the customer’s approval does not extend its deadline', () => {
    given(null)
      .when(request(60))
      .when(approve(null, { guardRequired: true }), fromNow(59 * SECOND))
      .when(approveAsGuard(), fromNow(60 * SECOND))
      .thenRefused('ALREADY_OVER');
  });

  test('it expired at its deadline, however late the background job runs', () => {
    given(null)
      .when(request(60))
      .when(elapseTime, fromNow(365 * DAY))
      .thenChanged('EXPIRED', {
        endReason: 'APPROVAL_TIMED_OUT',
        endedAt: fromNow(60 * SECOND),
        endedById: null,
      });
  });

  test('the background job does not change it one millisecond before its deadline', () => {
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

  test('it can be released one millisecond before its end', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(release, fromNow(HOUR - MS))
      .thenChanged('ENDED', { endReason: 'RELEASED_BY_ENGINEER', endedAt: fromNow(HOUR - MS) });
  });

  test('it can be neither released nor revoked at its end', () => {
    const atItsEnd = given(active({ expiresAt: fromNow(HOUR) }));
    atItsEnd.when(release, fromNow(HOUR)).thenRefused('ALREADY_OVER');
    atItsEnd.when({ type: 'Revoke', by: 'admin', asGuard: false }, fromNow(HOUR)).thenRefused('ALREADY_OVER');
  });

  test('a ticket that closes after its end does not change its end reason', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(elapseTime, fromNow(DAY))
      .when({ type: 'CloseTicket', by: 'ticketing' }, fromNow(DAY))
      .thenUnchanged();
  });

  test('it ended when its time ran out, however late the background job runs', () => {
    given(active({ expiresAt: fromNow(HOUR) }))
      .when(elapseTime, fromNow(365 * DAY))
      .thenChanged('ENDED', { endReason: 'TIME_ELAPSED', endedAt: fromNow(HOUR), endedById: null });
  });
});

describe('an end set by the approver', () => {
  describe.each([false, true])('restricted site: %s', (guardRequired) => {
    const event = guardRequired ? 'AWAITING_GUARD' : 'ACTIVATED';

    test('must be after the moment of the approval', () => {
      given(pendingApproval()).when(approve(NOW, { guardRequired })).thenRefused('EXPIRES_AT_IN_THE_PAST');
      given(pendingApproval())
        .when(approve(fromNow(-MS), { guardRequired }))
        .thenRefused('EXPIRES_AT_IN_THE_PAST');
    });

    test('may be one millisecond after the approval', () => {
      given(pendingApproval())
        .when(approve(fromNow(MS), { guardRequired }))
        .thenChanged(event, { expiresAt: fromNow(MS) });
    });

    test('may be as late as the policy allows', () => {
      given(pendingApproval())
        .when(approve(fromNow(HOUR), { guardRequired, ...hour }))
        .thenChanged(event, { expiresAt: fromNow(HOUR) });
    });

    test('must not be one millisecond later than the policy allows', () => {
      given(pendingApproval())
        .when(approve(fromNow(HOUR + MS), { guardRequired, ...hour }))
        .thenRefused('EXPIRES_AT_BEYOND_POLICY');
    });

    test('that is in the past and beyond the policy is refused as in the past', () => {
      given(pendingApproval())
        .when(approve(NOW, { guardRequired, maxGrantSeconds: 0 }))
        .thenRefused('EXPIRES_AT_IN_THE_PAST');
    });

    test('may be any later moment if the policy sets no limit', () => {
      const lateIndeed = fromNow(1000 * 365 * DAY);
      given(pendingApproval())
        .when(approve(lateIndeed, { guardRequired }))
        .thenChanged(event, { expiresAt: lateIndeed });
    });
  });
});

describe("the policy's limit", () => {
  test('ends a grant for which the approver set no end', () => {
    given(pendingApproval())
      .when(approve(null, hour))
      .thenChanged('ACTIVATED', { activatedAt: NOW, expiresAt: fromNow(HOUR) });
  });

  test('counts from the activation, not from the customer’s approval', () => {
    given(pendingApproval())
      .when(approve(null, { guardRequired: true, ...hour }))
      .when(approveAsGuard(hour), fromNow(DAY))
      .thenChanged('ACTIVATED', { activatedAt: fromNow(DAY), expiresAt: fromNow(DAY + HOUR) });
  });

  test('does not count while the Guard decides: without an end, only the deadline of the request applies', () => {
    given(pendingApproval({ approvalDueAt: fromNow(2 * DAY) }))
      .when(approve(null, { guardRequired: true, ...hour }))
      .when(elapseTime, fromNow(2 * DAY - MS))
      .thenUnchanged();
  });

  test('does not change an earlier end set by the approver when the Guard approves', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR - MS) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR - MS) });
  });

  test('may be equal to the end set by the approver', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that became shorter before the Guard’s approval shortens the grant', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR + MS) }))
      .when(approveAsGuard(hour))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that was removed before the Guard’s approval does not lengthen the grant', () => {
    given(pendingGuardApproval({ expiresAt: fromNow(HOUR) }))
      .when(approveAsGuard({ maxGrantSeconds: null }))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that was removed since the opening still limits the grant', () => {
    const opened = { terms: terms(hour) };
    given(pendingApproval(opened))
      .when(approve(fromNow(HOUR + MS)))
      .thenRefused('EXPIRES_AT_BEYOND_POLICY');
    given(pendingApproval(opened))
      .when(approve(null))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
    given(pendingGuardApproval(opened))
      .when(approveAsGuard({ maxGrantSeconds: null }))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('that does not exist lets the grant last until the ticket closes', () => {
    given(pendingGuardApproval({ expiresAt: null }))
      .when(approveAsGuard({ maxGrantSeconds: null }))
      .thenChanged('ACTIVATED', { expiresAt: null });
  });
});

describe('the end that the customer approved, while the Guard decides', () => {
  const until = fromNow(HOUR);
  const waitsForGuard = given(pendingApproval()).when(approve(until, { guardRequired: true }));

  test('lets the Guard approve one millisecond before it', () => {
    waitsForGuard
      .when(approveAsGuard(), fromNow(HOUR - MS))
      .thenChanged('ACTIVATED', { activatedAt: fromNow(HOUR - MS), expiresAt: until });
  });

  test('lets the Guard no longer approve once it has passed, even before the deadline of the request', () => {
    waitsForGuard.when(approveAsGuard(), until).thenRefused('ALREADY_OVER');
    waitsForGuard
      .when({ type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin }, until)
      .thenRefused('ALREADY_OVER');
  });

  test('is the time at which the request expires once it has passed', () => {
    waitsForGuard
      .when(elapseTime, fromNow(30 * DAY))
      .thenChanged('EXPIRED', { endReason: 'APPROVAL_TIMED_OUT', endedAt: until });
  });
});
