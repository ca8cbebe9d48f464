/**
 * Carries out a proposed change: as the command of its proposer, at the moment at which it takes effect, on the facts of
 * that moment. So it is refused where its proposer may no longer make it, and where somebody has made it since.
 */
import { isDeepStrictEqual } from 'node:util';
import { findViewerById } from '../identity/viewer-store.ts';
import type { Transaction } from '../platform/database.ts';
import { type ChangeInput, type ChangeKind, changeInputs, type Values } from '../proposals/change.ts';
import type { ProposedChange } from '../proposals/store.ts';
import type { RightsLock } from '../roles/locks.ts';
import { assignRole, removeRole } from './assign-and-remove-roles.ts';
import { setAuditRetention } from './audit-retention.ts';
import { setSupportAccessRestrictions } from './change-site.ts';
import type { Command, OwnAuditEntry } from './command.ts';
import { decideCommand } from './decide-command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { removeUser } from './provision-accounts.ts';
import { notFound, type Refusal } from './refusal.ts';
import { presentPolicy, setSupportAccessPolicy } from './support-access-policy.ts';
import { syncRole } from './sync-roles.ts';

/** What carrying it out does, or why it cannot be carried out any more. */
export type Effect =
  | { refused: Refusal }
  | {
      write: (tx: Transaction) => Promise<void>;
      entries: readonly OwnAuditEntry[];
      /** Only a policy changes any, and it takes effect by a confirmation, never by time. */
      grants: readonly DecidedGrantChange[];
      accessChangedFor: readonly string[];
    };

/** Decides what carrying it out does at the moment `now`. */
export type EffectAt = (now: Date) => Effect;

type Effects = {
  lock: (tx: Transaction, change: ProposedChange) => Promise<void>;
  rights: (tx: Transaction, change: ProposedChange) => Promise<readonly RightsLock[]>;
  load: (tx: Transaction, change: ProposedChange, now: Date) => Promise<EffectAt>;
};

/** Takes the locks of the change itself, except for those on rights. */
export async function lockEffect(tx: Transaction, change: ProposedChange): Promise<void> {
  await effects[change.kind].lock(tx, change);
}

/** Whose rights the change relies on or takes away: those of its proposer, and those that it is about. */
export async function rightsOfEffect(
  tx: Transaction,
  change: ProposedChange,
): Promise<readonly RightsLock[]> {
  return [
    { accountId: change.proposedById, purpose: 'KEEP' },
    ...(await effects[change.kind].rights(tx, change)),
  ];
}

/** Reads what carrying it out is decided on. */
export async function loadEffect(tx: Transaction, change: ProposedChange, now: Date): Promise<EffectAt> {
  return await effects[change.kind].load(tx, change, now);
}

function effectsOf<Kind extends ChangeKind, Facts, Row extends object>(
  kind: Kind,
  command: Command<ChangeInput<Kind>, Facts, Row>,
  /** The present values of what it changes. If they are not those before it, somebody has changed them since. */
  present?: (facts: Facts) => object,
  /** Whether it takes another confirmation now than when it was proposed. */
  needsAnother?: (facts: Facts, change: ProposedChange) => boolean,
): Effects {
  const inputOf = ({ input }: ProposedChange) => changeInputs[kind].parse(input) as ChangeInput<Kind>;
  return {
    lock: (tx, change) => command.lock(tx, inputOf(change)),
    rights: async (tx, change) => [(await command.rights?.(inputOf(change), tx)) ?? []].flat(),
    load: async (tx, change, at) => {
      const input = inputOf(change);
      const proposer = await findViewerById(tx, change.proposedById);
      const facts = await command.load(tx, input, at);
      if (proposer === null || facts === null) return () => ({ refused: notFound(command.resource) });
      return (now) => {
        if (present !== undefined && !isStill(change.before, present(facts)))
          return { refused: changedSince };
        if (needsAnother?.(facts, change) === true) return { refused: needsGuard };
        const { outcome } = decideCommand(command, facts, input, {
          viewer: proposer,
          now,
          isConfirmed: true,
        });
        if ('refused' in outcome) return { refused: outcome.refused };
        const subject = {
          action: command.action,
          auditResource: command.auditResource(facts, input),
          auditContext: command.auditContext(facts),
        };
        const entries = [outcome.entry ?? [], ...(outcome.consequences ?? [])].flat();
        return {
          write: async (tx) => await outcome.write?.(tx),
          entries: entries.map((entry) => ({ ...subject, ...entry })),
          grants: outcome.grants ?? [],
          accessChangedFor: outcome.accessChangedFor ?? [],
        };
      };
    },
  };
}

/** Whether the values are as they were. What was not among them when the change was proposed does not count. */
function isStill(before: unknown, present: object): boolean {
  const now = new Map<string, unknown>(Object.entries(present));
  return Object.entries(before as Values).every(([name, value]) => isDeepStrictEqual(now.get(name), value));
}

const changedSince: Refusal = {
  kind: 'Conflict',
  code: 'VERSION_CONFLICT',
  message: 'It has been changed since the change was proposed.',
  currentVersion: null,
};

const needsGuard: Refusal = {
  kind: 'Conflict',
  code: 'VERSION_CONFLICT',
  message: 'It takes the confirmation of a Guard admin by now. Propose it again.',
  currentVersion: null,
};

const effects: { [Kind in ChangeKind]: Effects } = {
  SET_SUPPORT_ACCESS_RESTRICTIONS: effectsOf(
    'SET_SUPPORT_ACCESS_RESTRICTIONS',
    setSupportAccessRestrictions,
    ({ site: { supportAccessRestricted } }) => ({ supportAccessRestricted }),
  ),
  SET_SUPPORT_ACCESS_POLICY: effectsOf('SET_SUPPORT_ACCESS_POLICY', setSupportAccessPolicy, ({ site }) =>
    presentPolicy(site),
  ),
  ASSIGN_ROLE: effectsOf(
    'ASSIGN_ROLE',
    assignRole,
    undefined,
    ({ guardRole }, { needs, input }) =>
      needs === 'ORGANIZATION_ADMIN' &&
      guardRole?.guard.isRestricted === true &&
      changeInputs.ASSIGN_ROLE.parse(input).origin === 'DIRECT',
  ),
  SYNC_ROLE: effectsOf('SYNC_ROLE', syncRole),
  REMOVE_ROLE: effectsOf('REMOVE_ROLE', removeRole),
  REMOVE_USER: effectsOf('REMOVE_USER', removeUser),
  SET_AUDIT_RETENTION: effectsOf(
    'SET_AUDIT_RETENTION',
    setAuditRetention,
    ({ organization: { auditRetentionDays } }) => ({ auditRetentionDays }),
  ),
};
