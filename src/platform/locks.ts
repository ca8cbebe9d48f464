/**
 * Advisory locks. They serialize the commands on one grant.
 *
 * A command acquires its locks in this order: proposed changes, the Guards of organizations, their admins,
 * sites, tickets, then the rights of accounts. A command that settles a proposed change takes an exclusive lock on it, and the locks of the change
 * itself. A command that switches restrictions takes an exclusive lock on the organization's Guard; one that changes its
 * Guard admins takes a shared lock, so that it knows whether any site is restricted. A command that takes the role of an organization admin away takes an
 * exclusive lock on the organization's admins, so that the last two do not leave at the same time. A command on a ticket takes
 * an exclusive lock on the ticket and a shared lock on its site; a command on a site takes an exclusive lock on the
 * site. Every command takes a shared lock on the rights of its caller, and of another account whose rights it relies on,
 * such as the customer's approver for the approval of a Guard admin. A command that removes rights takes that lock
 * exclusively, so that nothing commits after the rights it relied on were removed. The rights of several accounts are
 * locked in the order of their ids.
 *
 * Before all of these come caseloads, which are the open tickets of an engineer. A command that gives a ticket to an
 * engineer takes a shared lock on the engineer's caseload. The deactivation of an engineer takes it exclusively, then
 * the locks of a command on each of the tickets.
 *
 * An evaluation of access takes shared locks on a site, a ticket and the rights of the service account that asks, and
 * waits for none of them: whoever has, or waits for, an exclusive one goes first. So what a command has ended allows
 * nothing once the command has committed.
 *
 * A command on a deletion of Rovo's data takes an exclusive lock on the deletions of the organization, and none on a
 * site or ticket: no grant has to do with it.
 *
 * A command on a stream of the audit log takes an exclusive lock on the streams of the organization.
 *
 * The first operator of a deployment is added, and the vendor's domains are set, under locks of their own.
 *
 * Locks are acquired before the transaction's first write, because PostgreSQL assigns the transaction id at the first
 * write. So two transactions on the same grant have ids in the order of their commits, and the event stream, which is
 * ordered by transaction id, has each grant's events in order.
 */

/** The kinds of locks, in the order of acquisition. The number is the seed of the hash of the id. */
const seeds = {
  ...{
    caseload: 7,
    proposal: 5,
    guard: 6,
    admins: 9,
    site: 1,
    ticket: 2,
    deletion: 8,
    auditStreams: 16,
    rights: 3,
    deployment: 4,
  },
} as const;

/** Returns SQL that takes an exclusive lock until the transaction ends. `id` is an SQL expression of type text. */
export function exclusiveLock(kind: keyof typeof seeds, id: string): string {
  return `pg_advisory_xact_lock(hashtextextended(${id}, ${seeds[kind]}))`;
}

/** Returns SQL that takes a shared lock until the transaction ends. `id` is an SQL expression of type text. */
export function sharedLock(kind: keyof typeof seeds, id: string): string {
  return `pg_advisory_xact_lock_shared(hashtextextended(${id}, ${seeds[kind]}))`;
}

/**
 * Returns SQL that takes a shared lock until the transaction ends, and is true; or that is false at once if somebody has
 * an exclusive lock or waits for one. `id` is an SQL expression of type text.
 */
export function trySharedLock(kind: keyof typeof seeds, id: string): string {
  return `pg_try_advisory_xact_lock_shared(hashtextextended(${id}, ${seeds[kind]}))`;
}

/** As `trySharedLock`, an exclusive one: false at once if somebody has a lock or waits for one. */
export function tryExclusiveLock(kind: keyof typeof seeds, id: string): string {
  return `pg_try_advisory_xact_lock(hashtextextended(${id}, ${seeds[kind]}))`;
}
