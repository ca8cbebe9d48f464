import { expect, test } from 'vitest';
import { endInvitation, type InvitationTerm, invitationAsOf } from '../../src/organizations/invitation.ts';

const expiresAt = new Date('2026-12-10T00:00:00Z');
const before = new Date('2026-12-09T23:59:59.999Z');
const waiting: InvitationTerm = { expiresAt, state: 'WAITING', endedAt: null };

test.each(['ACCEPTED', 'WITHDRAWN'] as const)('what waits is %s at that moment', (state) => {
  expect(endInvitation(waiting, state, before)).toEqual({ end: { state, endedAt: before } });
});

test.each([
  ['whose time is over', waiting, expiresAt],
  ['that was accepted', { ...waiting, state: 'ACCEPTED', endedAt: before }, before],
  ['that was withdrawn', { ...waiting, state: 'WITHDRAWN', endedAt: before }, before],
  ['that is recorded as expired', { ...waiting, state: 'EXPIRED', endedAt: expiresAt }, before],
] as const)('one %s is over', (_, invitation, now) => {
  expect(endInvitation(invitation, 'ACCEPTED', now)).toEqual({ refused: 'INVITATION_OVER' });
  expect(endInvitation(invitation, 'WITHDRAWN', now)).toEqual({ refused: 'INVITATION_OVER' });
});

test('it expires at its time, and not before', () => {
  expect(invitationAsOf(waiting, before)).toBe(waiting);
  expect(invitationAsOf(waiting, expiresAt)).toEqual({ expiresAt, state: 'EXPIRED', endedAt: expiresAt });
  const accepted = { ...waiting, state: 'ACCEPTED', endedAt: before } as const;
  expect(invitationAsOf(accepted, expiresAt)).toBe(accepted);
});
