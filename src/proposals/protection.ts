/**
 * Which changes take two people, so that no admin alone gets around the Guard. Pure.
 *
 * Tightening takes one person, and so does everything in an organization without a restricted site. Loosening takes
 * two: one proposes, and a Guard admin who is another person confirms.
 */
import type { Confirmation } from './proposal.ts';

/** The policy of a site, as far as loosening it takes two people. */
export type GuardedPolicy = {
  requestWaitSeconds: number;
  /** Null: until the ticket closes. */
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
  /** Whether a consent counts that a ticketing system relays. */
  relayedConsentCounts: boolean;
  /** Whether its data stays in its region. */
  dataResidencyPinned: boolean;
  /** The countries from which an engineer may act. Empty: all of the vendor's. */
  engineerCountries: readonly string[];
  /** How long a support session lasts without an action, and at most. */
  sessionIdleSeconds: number;
  maxSessionSeconds: number;
};

/**
 * Whether the new policy lets requests wait longer, lets grants or sessions last longer, needs fewer people, lets a
 * program speak for them, or opens the data to further regions or countries.
 */
export function loosens(before: GuardedPolicy, after: GuardedPolicy): boolean {
  return (
    after.requestWaitSeconds > before.requestWaitSeconds ||
    (after.maxGrantSeconds ?? Infinity) > (before.maxGrantSeconds ?? Infinity) ||
    (after.samePersonMayApproveTwice && !before.samePersonMayApproveTwice) ||
    (after.relayedConsentCounts && !before.relayedConsentCounts) ||
    (before.dataResidencyPinned && !after.dataResidencyPinned) ||
    addsCountries(before.engineerCountries, after.engineerCountries) ||
    after.sessionIdleSeconds > before.sessionIdleSeconds ||
    after.maxSessionSeconds > before.maxSessionSeconds
  );
}

/** Without countries, all of the vendor's will do. */
function addsCountries(before: readonly string[], after: readonly string[]): boolean {
  if (before.length === 0) return false;
  return after.length === 0 || after.some((country) => !before.includes(country));
}

/** An active Guard admin of the organization. `siteId` null: of all its sites. */
export type ActiveGuardAdmin = { accountId: string; siteId: string | null };

/** What a change of the Guard admins depends on. */
export type GuardFacts = {
  /** Whether support access is restricted on any site of the organization. */
  isRestricted: boolean;
  guardAdmins: readonly ActiveGuardAdmin[];
};

/** Who takes part in a change, and where it is made. `siteId` null: it is about the whole organization. */
export type Participants = { proposerId: string; subjectId: string | null; siteId: string | null };

/**
 * Whether somebody could confirm the change now: a Guard admin of its site, or any Guard admin where it is about the
 * whole organization. Its proposer could not, nor somebody whom it makes a Guard admin.
 */
export function couldBeConfirmed({ guardAdmins }: GuardFacts, by: Participants, appoints: boolean): boolean {
  return guardAdmins.some(
    ({ accountId, siteId }) =>
      accountId !== by.proposerId &&
      !(appoints && accountId === by.subjectId) &&
      (by.siteId === null || siteId === null || siteId === by.siteId),
  );
}

/** What a change waits for. */
export type Wait = { needs: Confirmation; effectiveAt: Date | null };

/** What the appointment of a Guard admin waits for; null: nothing. */
export function waitOfAppointment(
  facts: GuardFacts,
  by: Participants,
  { now, appointmentWaitMs }: { now: Date; appointmentWaitMs: number },
): Wait | null {
  if (!facts.isRestricted) return null;
  const effectiveAt = couldBeConfirmed(facts, by, true) ? null : new Date(now.getTime() + appointmentWaitMs);
  return { needs: 'GUARD_ADMIN', effectiveAt };
}

/** What the removal of a Guard admin waits for; null: nothing. */
export function waitOfRemoval({ isRestricted }: GuardFacts): Wait | null {
  return isRestricted ? guardConfirmation : null;
}

export const guardConfirmation: Wait = { needs: 'GUARD_ADMIN', effectiveAt: null };
