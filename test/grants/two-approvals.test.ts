/** Support access restrictions: the customer's approval, then a Guard admin's, by two different people. */
import { describe, test } from 'vitest';
import type { GrantPath } from '../../src/grants/grant.ts';
import type { GrantCommand } from '../../src/grants/lifecycle.ts';
import type { GrantTerms } from '../../src/grants/terms.ts';
import {
  active,
  fromNow,
  HOUR,
  longGuardAdmin,
  MS,
  NOW,
  pendingApproval,
  terms,
} from '../support/builders.ts';
import { given } from '../support/given-grant.ts';

const restricted = { guardRequired: true };
const approve = (by: string, on: Partial<GrantTerms>, path: GrantPath = 'SUPPORT_PORTAL'): GrantCommand => ({
  type: 'Approve',
  by,
  path,
  expiresAt: null,
  terms: terms(on),
});
const approveAsGuard = (by: string, on: Partial<GrantTerms> = restricted): GrantCommand => ({
  type: 'ApproveAsGuard',
  by,
  ...longGuardAdmin,
  terms: terms(on),
});
const revoke = (by: string, asGuard = false): GrantCommand => ({ type: 'Revoke', by, asGuard });

const paths = { TICKET_CREATION: true, SUPPORT_PORTAL: true, ADMIN_CONSOLE: true } satisfies Record<
  GrantPath,
  true
>;

describe.each(Object.keys(paths) as GrantPath[])('on the path %s', (path) => {
  test('a restricted site keeps the grant from the engineer until the Guard has approved', () => {
    const approved = given(pendingApproval()).when(approve('customer', restricted, path));
    approved.thenChanged('AWAITING_GUARD', { state: 'PENDING_GUARD_APPROVAL', path });
    approved.when(approveAsGuard('guard'), fromNow(HOUR)).thenChanged('ACTIVATED', {
      state: 'ACTIVE',
      path,
      customerApprovedAt: NOW,
      activatedAt: fromNow(HOUR),
    });
  });

  test('any other site activates it at once', () => {
    given(pendingApproval())
      .when(approve('customer', {}, path))
      .thenChanged('ACTIVATED', { state: 'ACTIVE', path, customerApprovedAt: NOW, activatedAt: NOW });
  });

  test('one person cannot give both approvals', () => {
    given(pendingApproval())
      .when(approve('both', restricted, path))
      .when(approveAsGuard('both'))
      .thenRefused('SAME_PERSON_MAY_NOT_APPROVE_TWICE');
  });
});

describe('two different people', () => {
  const approvedByBoth = given(pendingApproval()).when(approve('both', restricted));

  const lenient = { ...restricted, samePersonMayApproveTwice: true };
  const openedLenient = given(pendingApproval({ terms: terms(lenient) })).when(approve('both', lenient));

  test('one person may give both approvals if the policy has allowed it since the opening', () => {
    openedLenient
      .when(approveAsGuard('both', lenient))
      .thenChanged('ACTIVATED', { customerApprovedById: 'both' });
  });

  test('a policy that allows it since does not count for a request that is open already', () => {
    approvedByBoth.when(approveAsGuard('both', lenient)).thenRefused('SAME_PERSON_MAY_NOT_APPROVE_TWICE');
  });

  test('a policy that no longer allows it counts at once', () => {
    openedLenient.when(approveAsGuard('both')).thenRefused('SAME_PERSON_MAY_NOT_APPROVE_TWICE');
  });

  test('after a refused second approval another Guard admin may still approve', () => {
    approvedByBoth
      .when(approveAsGuard('both'))
      .when(approveAsGuard('guard'))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('the approver may deny as the Guard, because a denial gives no access', () => {
    approvedByBoth
      .when({ type: 'DenyAsGuard', by: 'both', ...longGuardAdmin })
      .thenChanged('DENIED', { endReason: 'DENIED_BY_GUARD', endedById: 'both' });
  });

  test('a Guard admin who requested access may still approve as the Guard', () => {
    given(pendingApproval({ requestedById: 'guard', engineerId: null }))
      .when(approve('customer', restricted))
      .when(approveAsGuard('guard'))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });
});

describe('the order of the two approvals', () => {
  test('the Guard can neither approve nor deny before the customer', () => {
    given(pendingApproval()).when(approveAsGuard('guard')).thenRefused('NOT_AWAITING_GUARD');
    given(pendingApproval())
      .when({ type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin })
      .thenRefused('NOT_AWAITING_GUARD');
  });

  test('the customer cannot approve a second time in place of the Guard', () => {
    given(pendingApproval())
      .when(approve('customer', restricted))
      .when(approve('other-customer', {}))
      .thenRefused('ALREADY_APPROVED');
  });

  test('a request that awaits the Guard still needs that decision after restrictions are switched off', () => {
    given(pendingApproval())
      .when(approve('customer', restricted))
      .when(approve('customer', {}))
      .when(approveAsGuard('guard', {}))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('a request that was opened under restrictions needs the Guard after they are switched off', () => {
    const approved = given(pendingApproval({ terms: terms(restricted) })).when(approve('customer', {}));
    approved.thenChanged('AWAITING_GUARD', { state: 'PENDING_GUARD_APPROVAL' });
    approved.when(approveAsGuard('guard', {})).thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('a request that was opened without restrictions needs the Guard once they are switched on', () => {
    given(pendingApproval())
      .when(approve('customer', restricted))
      .thenChanged('AWAITING_GUARD', { terms: terms() });
  });

  test('switching restrictions on does not change active grants', () => {
    given(active()).when(approveAsGuard('guard')).thenRefused('ALREADY_ACTIVE');
    given(active()).when(approve('customer', restricted)).thenRefused('ALREADY_ACTIVE');
  });
});

describe('revoking while a request awaits the Guard', () => {
  const approved = given(pendingApproval()).when(approve('customer', restricted));

  test.each(['customer', 'reporter'])(
    'by the %s ends the request, which cannot become active afterwards',
    (by) => {
      const revoked = approved.when(revoke(by), fromNow(MS));
      revoked.thenChanged('DENIED', {
        state: 'DENIED',
        endReason: 'DENIED_BY_CUSTOMER',
        endedById: by,
        endedAt: fromNow(MS),
        customerApprovedById: 'customer',
      });
      revoked.when(approveAsGuard('guard'), fromNow(2 * MS)).thenRefused('ALREADY_OVER');
    },
  );

  test('by a person who may revoke only as a Guard admin counts as a denial', () => {
    approved.when(revoke('guard', true)).thenChanged('DENIED', {
      endReason: 'DENIED_BY_GUARD',
      endedById: 'guard',
    });
  });

  test('just after the Guard approved revokes the active grant', () => {
    approved
      .when(approveAsGuard('guard'))
      .when(revoke('customer'))
      .thenChanged('REVOKED', { state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' });
  });

  test('is refused before the customer has approved', () => {
    given(pendingApproval()).when(revoke('customer')).thenRefused('NOT_APPROVED_YET');
  });
});

describe('an approval that has lapsed', () => {
  const lapsed = given(pendingApproval())
    .when({ ...approve('customer', restricted), expiresAt: fromNow(HOUR) } as GrantCommand)
    .when({ type: 'LapseApproval' }, fromNow(MS));

  test('leaves the request to the customer, until the same deadline', () => {
    const { approvalDueAt } = pendingApproval();
    lapsed.thenChangedTo({
      event: 'APPROVAL_LAPSED',
      grant: pendingApproval({ version: 9, approvalDueAt }),
      decision: null,
    });
  });

  test('gives the Guard nothing to decide', () => {
    lapsed.when(approveAsGuard('guard')).thenRefused('NOT_AWAITING_GUARD');
    lapsed.when({ type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin }).thenRefused('NOT_AWAITING_GUARD');
    lapsed.when(revoke('customer')).thenRefused('NOT_APPROVED_YET');
  });

  test('can be followed by another one, and by the approval of the Guard', () => {
    const again = lapsed.when(approve('admin', restricted), fromNow(HOUR));
    again.thenChanged('AWAITING_GUARD', { customerApprovedById: 'admin', expiresAt: null });
    again
      .when(approveAsGuard('guard'), fromNow(2 * HOUR))
      .thenChanged('ACTIVATED', { customerApprovedById: 'admin', activatedAt: fromNow(2 * HOUR) });
  });

  test('can be followed by the denial of the customer', () => {
    lapsed
      .when({ type: 'Deny', by: 'admin' })
      .thenChanged('DENIED', { endReason: 'DENIED_BY_CUSTOMER', customerApprovedById: null });
  });

  test('has lapsed for good: it does not lapse again', () => {
    lapsed.when({ type: 'LapseApproval' }).thenUnchanged();
  });
});

describe('a Guard admin', () => {
  const until = (expiresAt: Date | null) =>
    given(pendingApproval()).when({
      ...{ type: 'Approve', by: 'customer', path: 'SUPPORT_PORTAL', expiresAt },
      terms: terms(restricted),
    });
  const approveUntil = (expiresAt: Date, on: Partial<GrantTerms> = restricted): GrantCommand => ({
    ...{ type: 'ApproveAsGuard', by: 'guard', ...longGuardAdmin, expiresAt, terms: terms(on) },
  });
  const limited = { ...restricted, maxGrantSeconds: 7_200 };

  test('may bring the end forward', () => {
    until(fromNow(2 * HOUR))
      .when(approveUntil(fromNow(HOUR)))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
    until(null)
      .when(approveUntil(fromNow(HOUR)))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
  });

  test('may name the end that the customer approved, and no later one', () => {
    const approved = until(fromNow(HOUR));
    approved.when(approveUntil(fromNow(HOUR))).thenChanged('ACTIVATED', { expiresAt: fromNow(HOUR) });
    approved.when(approveUntil(fromNow(HOUR + MS))).thenRefused('EXPIRES_AT_BEYOND_APPROVAL');
  });

  test('may name no end beyond the policy, and none that is over', () => {
    until(null)
      .when(approveUntil(fromNow(2 * HOUR + MS), limited))
      .thenRefused('EXPIRES_AT_BEYOND_POLICY');
    until(null)
      .when(approveUntil(fromNow(2 * HOUR), limited))
      .thenChanged('ACTIVATED', { expiresAt: fromNow(2 * HOUR) });
    until(null).when(approveUntil(NOW)).thenRefused('EXPIRES_AT_IN_THE_PAST');
  });
});
