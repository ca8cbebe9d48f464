/** The commands that deactivate and reactivate an account. */
import type { Account } from '../../prisma/generated/client/client.ts';
import { newId } from '../platform/ids.ts';
import {
  listRolesOf,
  noteFormerAdmin,
  type RoleAssignmentRow,
  type RoleUnderAdmin,
  removeRoles,
} from '../roles/store.ts';
import { lockCaseload } from '../tickets/locks.ts';
import { updateTickets } from '../tickets/store.ts';
import { accountTypename } from './account-typename.ts';
import { roleDetails } from './assign-and-remove-roles.ts';
import type { DecisionContext, OwnAuditEntry } from './command.ts';
import { countsAgain, mailsAboutOperator } from './operator-roles.ts';
import { platformCommand } from './platform-command.ts';
import { takeAwayRights } from './provision-accounts.ts';
import { invalidState } from './refusal.ts';
import { listTicketFactsOfEngineer, type TicketFacts } from './ticket-facts.ts';
import { unassignTickets } from './unassign-tickets.ts';

type SwitchFacts = {
  account: Account;
  organizationIds: string[];
  tickets: TicketFacts[];
  /** The roles that would count again by a reactivation. */
  roles: RoleUnderAdmin[];
};

function switchAccount(operation: 'deactivateAccount' | 'reactivateAccount', active: boolean) {
  return platformCommand<{ accountId: string }, SwitchFacts, Account>({
    operation,
    action: active ? 'account.reactivate' : 'account.deactivate',
    refusals: ['OWN_ACCOUNT'],
    resource: 'Account',
    lock: (tx, { accountId }) => lockCaseload(tx, accountId),
    rights: takeAwayRights,
    load: async (tx, { accountId }) => {
      const found = await tx.account.findUnique({
        where: { id: accountId },
        include: { memberships: true },
        relationLoadStrategy: 'join',
      });
      if (found === null) return null;
      const { memberships, ...account } = found;
      const isEngineer = account.kind === 'SUPPORT_ENGINEER';
      return {
        account,
        organizationIds: memberships.map(({ organizationId }) => organizationId),
        tickets: isEngineer ? await listTicketFactsOfEngineer(tx, accountId) : [],
        roles: active && !account.active ? await listRolesOf(tx, accountId) : [],
      };
    },
    account: ({ account: { id }, organizationIds }) => ({ id, organizationIds }),
    auditResource: ({ account: { id, kind } }) => ({ type: accountTypename[kind], id }),
    decide: (facts, _, by) => {
      const { account } = facts;
      if (account.id === by.viewer.id) return { refused: invalidState('OWN_ACCOUNT') };
      const kept = facts.roles.filter((role) => countsAgain(role, by));
      const removed = facts.roles.filter((role) => !kept.includes(role));
      // An engineer who comes back has no tickets either: an earlier version of the gateway left them assigned.
      const unassigned = unassignTickets(active && account.active ? [] : facts.tickets, by);
      return {
        answer: { ...account, active },
        write: async (tx) => {
          if (!active && account.kind === 'USER')
            await noteFormerAdmin(tx, { accountId: account.id }, by.now);
          await tx.account.update({ where: { id: account.id }, data: { active } });
          if (unassigned.tickets.length > 0) await updateTickets(tx, unassigned.tickets);
          if (removed.length > 0) await removeRoles(tx, removed);
        },
        consequences: [
          ...entriesForItsOrganizations(facts),
          ...unassigned.entries,
          ...removed.map((held) => removalEntry(account, held)),
        ],
        mails: mailsAboutKept(account, kept, by),
        changeRequests: unassigned.changeRequests,
        grants: unassigned.grants,
        accessChangedFor: [account.id],
      };
    },
  });
}

/** An entry in the log of each organization that the account belongs to; for the vendor's own, in the vendor's log. */
function entriesForItsOrganizations({ account, organizationIds }: SwitchFacts): OwnAuditEntry[] {
  const details = { email: account.email };
  const own = account.organizationId === null ? organizationIds : [account.organizationId];
  return (own.length === 0 ? [null] : own).map((organizationId) => ({
    auditContext: { organizationId },
    details,
  }));
}

/** Tells the role holders of each organization without an active admin that somebody's roles count again there. */
function mailsAboutKept({ email }: Account, kept: readonly RoleAssignmentRow[], by: DecisionContext) {
  return [...new Set(kept.map(({ organizationId }) => organizationId))].flatMap((organizationId) =>
    mailsAboutOperator(
      { id: newId(by.now), organizationId, summary: `Reactivate ${email}, whose roles count again` },
      by,
    ),
  );
}

function removalEntry({ email }: Account, held: RoleAssignmentRow): OwnAuditEntry {
  return {
    action: 'role.remove',
    auditResource: { type: 'RoleAssignment', id: held.id },
    auditContext: { organizationId: held.organizationId, siteId: held.siteId },
    details: { email, ...roleDetails(held) },
  };
}

/**
 * A deactivated account can do nothing from the next request on, and its subscriptions end. An engineer's tickets are
 * nobody's from then on, with their open grants; what the engineer asked to change is withdrawn.
 */
export const deactivateAccount = switchAccount('deactivateAccount', false);

/**
 * The account can sign in again. An engineer gets no tickets back. A user has no role in an organization that has an
 * active admin, or had another one until recently: the operator who reactivates the account appoints nobody there.
 */
export const reactivateAccount = switchAccount('reactivateAccount', true);
