/** The terms of a grant: what its site demands of the approvals, and how long the grant lasts. Pure functions. */

export type GrantTerms = {
  /** A Guard admin decides after the customer. */
  guardRequired: boolean;
  /** How long a grant lasts at most, in seconds from its activation; null: until the ticket closes. */
  maxGrantSeconds: number | null;
  /** Whether one person may give both approvals. */
  samePersonMayApproveTwice: boolean;
};

/** The settings of a site from which the terms follow. */
type Settings = {
  supportAccessRestricted: boolean;
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
};

/** The terms that a site sets at present: those of a request that is opened now. */
export function termsOf(site: Settings): GrantTerms {
  return {
    guardRequired: site.supportAccessRestricted,
    maxGrantSeconds: site.maxGrantSeconds,
    samePersonMayApproveTwice: site.samePersonMayApproveTwice,
  };
}

/**
 * The terms by which a request is decided: those of its opening, or the present ones where they are tighter. So
 * whoever loosens a site's settings gives nothing to a request that is open already.
 */
export function effectiveTerms(opening: GrantTerms, present: GrantTerms): GrantTerms {
  return {
    guardRequired: opening.guardRequired || present.guardRequired,
    maxGrantSeconds: shorter(opening.maxGrantSeconds, present.maxGrantSeconds),
    samePersonMayApproveTwice: opening.samePersonMayApproveTwice && present.samePersonMayApproveTwice,
  };
}

/** Null has no limit. */
function shorter(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
