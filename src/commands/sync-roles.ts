/** The roles that the identity provider of an organization pushes count once they are synced. */
import { shareGuard, shareGuardOfRole } from '../organizations/locks.ts';
import { findOrganization, type Organization } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import type { Change } from '../proposals/change.ts';
import { type Confirmation, mostWaiting } from '../proposals/proposal.ts';
import { type GuardFacts, type Wait, waitOfAppointment } from '../proposals/protection.ts';
import {
  countWaiting,
  findGuardFacts,
  listWaiting,
  type ProposedChange,
  type WaitingCounts,
} from '../proposals/store.ts';
import { roleSynced, rolesSynced } from '../proposals/summary.ts';
import { type AdminFacts, findAdminFacts, type RoleAssignmentRow } from '../roles/store.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { findNamedAssignment, listUnsynced, type NamedAssignment } from './named-assignment.ts';
import { mailsAboutOperator, waitOfOperator } from './operator-roles.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { propose } from './propose.ts';

/** At most so many roles are proposed by one sync; the next sync continues. */
const proposalsPerSync = 50;

const confirmations = ['GUARD_ADMIN', 'ORGANIZATION_ADMIN'] as const satisfies Confirmation[];

type SyncFacts = {
  /** For mail about the sync. */
  id: string;
  organization: Organization;
  unsynced: readonly NamedAssignment[];
  guard: GuardFacts;
  admins: AdminFacts;
  /** What waits already, by what it is about. */
  waiting: ReadonlyMap<string, ProposedChange>;
  counts: WaitingCounts;
};

/**
 * Makes the roles of the organization count that its identity provider has pushed and that wait for a sync. An operator
 * proposes that instead, role by role, where an active organization admin could confirm it; where there was one until
 * recently, the roles stay as they are. Where a site is restricted, the role of a Guard admin is proposed. It stays as it
 * is where nobody could confirm it and the caller is no organization admin, and where the caller would make themselves a
 * Guard admin.
 */
export const triggerScimSync = platformCommand<{ organizationId: string }, SyncFacts, Organization>({
  operation: 'triggerScimSync',
  action: 'role.sync',
  refusals: [],
  resource: 'Organization',
  lock: (tx, { organizationId }) => shareGuard(tx, organizationId),
  load: async (tx, { organizationId }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const unsynced = await listUnsynced(tx, organizationId);
    const about = unsynced.map(({ assignment }) => syncOf(assignment.id));
    const waiting = about.length === 0 ? [] : await listWaiting(tx, about);
    return {
      id: newId(now),
      organization,
      unsynced,
      guard: unsynced.some(isGuard)
        ? await findGuardFacts(tx, organizationId)
        : { isRestricted: false, guardAdmins: [] },
      admins: await findAdminFacts(tx, organizationId),
      counts: await countWaiting(tx, organizationId),
      waiting: new Map(waiting.map((one) => [one.about, one])),
    };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: (facts, _, by) => {
    const { organization, unsynced } = facts;
    const fates = unsynced.map((one) => ({ one, fate: fateOf(one, facts, by) }));
    const synced = fates.filter(({ fate }) => fate === 'SYNCS').map(({ one }) => one);
    const proposals = confirmations
      .flatMap((needs) =>
        fates
          .flatMap(({ one, fate }) =>
            typeof fate === 'string' || fate.needs !== needs ? [] : proposeSync(one, fate, facts, by),
          )
          .slice(0, mostWaiting - facts.counts[needs]),
      )
      .slice(0, proposalsPerSync);
    return {
      answer: organization,
      write: async (tx) => {
        await tx.roleAssignment.updateMany({
          where: { id: { in: synced.map(({ assignment }) => assignment.id) }, syncState: 'PENDING_SYNC' },
          data: { syncState: 'SYNCED', syncedAt: by.now },
        });
        for (const proposal of proposals) await proposal.write?.(tx);
      },
      entry: {
        details: {
          synced: synced.length,
          ...(proposals.length === 0 ? {} : { proposed: proposals.length }),
        },
      },
      consequences: proposals.flatMap(({ consequences = [] }) => consequences),
      mails: [
        ...proposals.flatMap(({ mails = [] }) => mails),
        ...(synced.length === 0
          ? []
          : mailsAboutOperator(
              { id: facts.id, organizationId: organization.id, summary: rolesSynced(synced.length) },
              by,
            )),
      ],
      accessChangedFor: [...new Set(synced.map(({ assignment }) => assignment.accountId))],
    };
  },
});

/** What a sync does with one role: it counts then, it is proposed, or it stays as it is. */
function fateOf(
  { assignment }: NamedAssignment,
  { guard, admins }: SyncFacts,
  by: DecisionContext,
): Wait | 'SYNCS' | 'STAYS' {
  const waitForAdmin = waitOfOperator(admins, by);
  if (assignment.role !== 'GUARD_ADMIN')
    return waitForAdmin === null ? 'SYNCS' : waitForAdmin.effectiveAt === null ? waitForAdmin : 'STAYS';
  const { accountId, siteId } = assignment;
  if (accountId === by.viewer.id) return 'STAYS';
  const participants = { proposerId: by.viewer.id, subjectId: accountId, siteId };
  const wait = waitOfAppointment(guard, participants, { now: by.now, ...by.rules });
  if (wait === null) return waitForAdmin === null ? 'SYNCS' : 'STAYS';
  return wait.effectiveAt !== null && !by.relations.has('ORGANIZATION_ADMIN') ? 'STAYS' : wait;
}

/** The proposal to sync a role: one, or none where it waits already. */
function proposeSync(
  { assignment, email, place }: NamedAssignment,
  wait: Wait,
  { waiting, counts }: SyncFacts,
  by: DecisionContext,
): Extract<Outcome<ProposedChange>, { answer: unknown }>[] {
  const { id, accountId, role, organizationId, siteId } = assignment;
  const about = syncOf(id);
  const change: Change = {
    ...{ kind: 'SYNC_ROLE', about, organizationId, siteId, input: { roleAssignmentId: id } },
    before: { role, syncState: 'PENDING_SYNC' },
    after: { role, syncState: 'SYNCED' },
    summary: roleSynced(email, role, place),
    subjectId: accountId,
  };
  const outcome = propose(
    change,
    wait,
    { id: newId(by.now), waiting: waiting.get(about) ?? null, counts },
    by,
  );
  return 'refused' in outcome || outcome.write === undefined ? [] : [outcome];
}

/** Syncs one role, once a second person has confirmed that. It is no mutation of its own. */
export const syncRole = platformCommand<{ roleAssignmentId: string }, NamedAssignment, RoleAssignmentRow>({
  operation: 'triggerScimSync',
  action: 'role.sync',
  refusals: ['ALREADY_EXISTS'],
  resource: 'RoleAssignment',
  lock: (tx, { roleAssignmentId }) => shareGuardOfRole(tx, roleAssignmentId),
  rights: ({ roleAssignmentId }) => ({ roleAssignmentId, purpose: 'KEEP' }),
  load: (tx, { roleAssignmentId }) => findNamedAssignment(tx, roleAssignmentId),
  organizationId: ({ assignment }) => assignment.organizationId,
  auditResource: ({ assignment: { id } }) => ({ type: 'RoleAssignment', id }),
  decide: ({ assignment }, _, { now }) => {
    if (assignment.syncState === 'SYNCED') return { refused: alreadyExists('The role counts already.') };
    return {
      answer: { ...assignment, syncState: 'SYNCED', syncedAt: now },
      write: async (tx) => {
        await tx.roleAssignment.updateMany({
          where: { id: assignment.id },
          data: { syncState: 'SYNCED', syncedAt: now },
        });
      },
      entry: { details: { synced: 1 } },
      accessChangedFor: [assignment.accountId],
    };
  },
});

const isGuard = ({ assignment }: NamedAssignment) => assignment.role === 'GUARD_ADMIN';
const syncOf = (roleAssignmentId: string) => `sync of role assignment ${roleAssignmentId}`;
