/**
 * The clocks of two gateways differ a little: no decision fails because of that, or has a time before the last
 * change.
 */
import { describe, test } from 'vitest';
import {
  active,
  fromNow,
  longGuardAdmin,
  pendingApproval,
  pendingGuardApproval,
  SECOND,
  terms,
} from '../support/builders.ts';
import { given } from '../support/given-grant.ts';

/** The time on the clock of the gateway that decided last. The clock of the one that decides now is a second behind. */
const ahead = fromNow(SECOND);

const requested = pendingApproval({ requestedAt: ahead });
const approved = pendingGuardApproval({ customerApprovedAt: ahead, customerApprovedById: 'customer' });
const activated = active({ activatedAt: ahead });

describe('a gateway whose clock is behind', () => {
  test('revokes at the moment of the activation', () => {
    given(activated)
      .when({ type: 'Revoke', by: 'reporter', asGuard: false })
      .thenChanged('REVOKED', { endedAt: ahead, activatedAt: ahead });
  });

  test('revokes an approval at the moment of the approval', () => {
    given(approved)
      .when({ type: 'Revoke', by: 'reporter', asGuard: false })
      .thenChanged('DENIED', { endedAt: ahead, customerApprovedAt: ahead });
  });

  test('activates at the moment of the request or the approval before it', () => {
    given(requested)
      .when({ type: 'Approve', by: 'admin', path: 'ADMIN_CONSOLE', expiresAt: null, terms: terms() })
      .thenChanged('ACTIVATED', { customerApprovedAt: ahead, activatedAt: ahead });
    given(approved)
      .when({ type: 'ApproveAsGuard', by: 'guard', ...longGuardAdmin, terms: terms({ guardRequired: true }) })
      .thenChanged('ACTIVATED', { activatedAt: ahead });
  });

  test.each([
    [{ type: 'Release', by: 'engineer' }, activated, 'ENDED'],
    [{ type: 'CloseTicket', by: 'reporter' }, activated, 'REVOKED'],
    [{ type: 'CloseTicket', by: 'reporter' }, approved, 'WITHDRAWN'],
    [{ type: 'DeactivateSite', by: 'operator' }, activated, 'ENDED'],
    [{ type: 'UnlicenseProduct', by: 'operator' }, requested, 'WITHDRAWN'],
    [{ type: 'Deny', by: 'admin' }, requested, 'DENIED'],
    [{ type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin }, approved, 'DENIED'],
    [{ type: 'Withdraw', by: 'engineer' }, requested, 'WITHDRAWN'],
  ] as const)(
    '$0.type of a grant in $1.state ends it no earlier than its last fact',
    (command, grant, event) => {
      given(grant).when(command).thenChanged(event, { endedAt: ahead });
    },
  );
});
