/** Which changes of a grant end the support session under it, and why: every command in every state in which it changes something. */
import { describe, expect, test } from 'vitest';
import { changeGrant } from '../../src/commands/change-grant.ts';
import { endOfUse } from '../../src/commands/session-effects.ts';
import type { Grant } from '../../src/grants/grant.ts';
import { decide, type GrantCommand } from '../../src/grants/lifecycle.ts';
import type { EndOfUse } from '../../src/sessions/session.ts';
import {
  active,
  fromNow,
  longGuardAdmin,
  MS,
  NOW,
  operator,
  pendingApproval,
  pendingGuardApproval,
  terms,
  ticket,
} from '../support/builders.ts';

const ofTicket = { organizationId: 'organization', ticketOf: () => ticket() };
const commands: [GrantCommand, EndOfUse | null][] = [
  [{ type: 'Revoke', by: 'customer', asGuard: false }, 'GRANT_REVOKED'],
  [{ type: 'Revoke', by: 'guard', asGuard: true }, 'GRANT_REVOKED'],
  [{ type: 'Release', by: 'engineer' }, 'GRANT_RELEASED'],
  [{ type: 'Reassign', engineerId: 'next-engineer' }, 'TICKET_REASSIGNED'],
  [{ type: 'Reassign', engineerId: null }, 'TICKET_REASSIGNED'],
  [{ type: 'CloseTicket', by: 'reporter' }, 'TICKET_CLOSED'],
  [{ type: 'DeactivateSite', by: 'operator' }, 'SITE_DEACTIVATED'],
  [{ type: 'UnlicenseProduct', by: 'operator' }, 'PRODUCT_UNLICENSED'],
  [{ type: 'ChangeProduct', by: 'ticketing' }, 'PRODUCT_CHANGED'],
  [{ type: 'Approve', by: 'customer', path: 'SUPPORT_PORTAL', expiresAt: null, terms: terms() }, null],
  [{ type: 'ApproveAsGuard', by: 'guard', ...longGuardAdmin, terms: terms() }, null],
  [{ type: 'Deny', by: 'customer' }, null],
  [{ type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin }, null],
  [{ type: 'LapseApproval' }, null],
  [{ type: 'Withdraw', by: 'engineer' }, null],
];

/** The change of the grant by the command; null: it changes nothing. */
function changeOf(grant: Grant, command: GrantCommand) {
  const by = { viewer: operator(), now: NOW };
  const decided = changeGrant(grant, command, { ...ofTicket, by, action: null, reason: null });
  return 'refused' in decided ? null : (decided.changes[0] ?? null);
}

describe.each([pendingApproval(), pendingGuardApproval(), active()])('a grant that is $state', (grant) => {
  test.each(commands)('%o', (command, end) => {
    const change = changeOf(grant, command);
    if (change === null) return;
    expect(endOfUse(change)).toBe(grant.state === 'ACTIVE' ? end : null);
  });
});

test('an active grant ends by every command that ends its use', () => {
  const changed = commands.filter(([command]) => 'changed' in decide(active(), command, NOW));
  expect(changed.map(([{ type }]) => type)).toEqual(
    commands.filter(([, end]) => end !== null).map(([{ type }]) => type),
  );
});

test('the time of the grant ends it, and so does the end of the account of its engineer', () => {
  const expired = changeOf(active({ expiresAt: fromNow(-MS) }), { type: 'ElapseTime' });
  expect(expired && endOfUse(expired)).toBe('GRANT_EXPIRED');
  const passed = changeOf(active(), { type: 'Reassign', engineerId: null });
  expect(passed && endOfUse({ ...passed, engineerIsGone: true })).toBe('ENGINEER_DEACTIVATED');
});
