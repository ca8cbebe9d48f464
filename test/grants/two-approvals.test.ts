/** Support access restrictions: the customer's approval, then a Guard admin's, by two different people. */
import { describe, test } from 'vitest';
import type { GrantPath } from '../../src/grants/grant.ts';
import type { GrantCommand, GrantTerms } from '../../src/grants/lifecycle.ts';
import { active, fromNow, HOUR, MS, NOW, pendingApproval, terms } from '../support/builders.ts';
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

  test('nobody approves in both places', () => {
    given(pendingApproval())
      .when(approve('both', restricted, path))
      .when(approveAsGuard('both'))
      .thenRefused('SAME_PERSON_MAY_NOT_APPROVE_TWICE');
  });
});

describe('two different people', () => {
  const approvedByBoth = given(pendingApproval()).when(approve('both', restricted));

  test('one person may approve in both places where the policy says so', () => {
    approvedByBoth
      .when(approveAsGuard('both', { ...restricted, samePersonMayApproveTwice: true }))
      .thenChanged('ACTIVATED', { customerApprovedById: 'both' });
  });

  test('the policy at the moment of the second approval decides, not the one at the first', () => {
    given(pendingApproval())
      .when(approve('both', { ...restricted, samePersonMayApproveTwice: true }))
      .when(approveAsGuard('both'))
      .thenRefused('SAME_PERSON_MAY_NOT_APPROVE_TWICE');
  });

  test('a refused second approval leaves the way open to another Guard admin', () => {
    approvedByBoth
      .when(approveAsGuard('both'))
      .when(approveAsGuard('guard'))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('saying no is open to the approver as well: it takes access away, it gives none', () => {
    approvedByBoth
      .when({ type: 'DenyAsGuard', by: 'both' })
      .thenChanged('DENIED', { endReason: 'DENIED_BY_GUARD', endedById: 'both' });
  });

  test('asking is not approving: the Guard admin who asked may still approve', () => {
    given(pendingApproval({ requestedById: 'guard', engineerId: null }))
      .when(approve('customer', restricted))
      .when(approveAsGuard('guard'))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });
});

describe('the order of the two', () => {
  test('the Guard cannot come first, neither approving nor denying', () => {
    given(pendingApproval()).when(approveAsGuard('guard')).thenRefused('NOT_AWAITING_GUARD');
    given(pendingApproval()).when({ type: 'DenyAsGuard', by: 'guard' }).thenRefused('NOT_AWAITING_GUARD');
  });

  test('the customer cannot approve a second time in place of the Guard', () => {
    given(pendingApproval())
      .when(approve('customer', restricted))
      .when(approve('other-customer', {}))
      .thenRefused('ALREADY_APPROVED');
  });

  test('restrictions lifted meanwhile do not skip the Guard whose decision is out', () => {
    given(pendingApproval())
      .when(approve('customer', restricted))
      .when(approve('customer', {}))
      .when(approveAsGuard('guard', {}))
      .thenChanged('ACTIVATED', { state: 'ACTIVE' });
  });

  test('restrictions put on later do not call back what is active', () => {
    given(active()).when(approveAsGuard('guard')).thenRefused('ALREADY_ACTIVE');
    given(active()).when(approve('customer', restricted)).thenRefused('ALREADY_ACTIVE');
  });
});

describe("revoking while the Guard's decision is out", () => {
  const approved = given(pendingApproval()).when(approve('customer', restricted));

  test.each(['customer', 'reporter'])('the %s takes the approval back, and it never becomes active', (by) => {
    const revoked = approved.when(revoke(by), fromNow(MS));
    revoked.thenChanged('DENIED', {
      state: 'DENIED',
      endReason: 'DENIED_BY_CUSTOMER',
      endedById: by,
      endedAt: fromNow(MS),
      customerApprovedById: 'customer',
    });
    revoked.when(approveAsGuard('guard'), fromNow(2 * MS)).thenRefused('ALREADY_OVER');
  });

  test('a Guard admin who may only revoke as such has denied it', () => {
    approved.when(revoke('guard', true)).thenChanged('DENIED', {
      endReason: 'DENIED_BY_GUARD',
      endedById: 'guard',
    });
  });

  test('the Guard who approved a moment before loses: the active grant is revoked', () => {
    approved
      .when(approveAsGuard('guard'))
      .when(revoke('customer'))
      .thenChanged('REVOKED', { state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' });
  });

  test('before anybody has approved there is nothing to revoke', () => {
    given(pendingApproval()).when(revoke('customer')).thenRefused('NOT_APPROVED_YET');
  });
});
