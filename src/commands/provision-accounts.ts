/** The people and services that can sign in. */
import type { Account } from '../../prisma/generated/client/client.ts';
import type { AuditAction } from '../audit/actions.ts';
import type { ServiceCapability } from '../identity/viewer.ts';
import { shareGuardAndLockAdmins } from '../organizations/locks.ts';
import { findMember, findOrganization, type Organization } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import type { ProposedChange } from '../proposals/store.ts';
import type { RightsLock } from '../roles/locks.ts';
import { hasAnotherAdmin, noteFormerAdmin } from '../roles/store.ts';
import { isVendorAddress } from '../roles/vendor-domains.ts';
import { accountTypename } from './account-typename.ts';
import {
  findGuardRoleFacts,
  type GuardRoleFacts,
  insteadOfRemovingUser,
  membershipOf,
} from './guard-roles.ts';
import { leavesNoAdmin } from './operator-roles.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { invalidInput, invalidState, notFound, type Refusal } from './refusal.ts';

type Person = { email: string; name: string };
type MemberFacts = {
  id: string;
  organization: Organization;
  account: Account | null;
  isMember: boolean;
  isVendors: boolean;
};

/**
 * Makes somebody a member of the organization: a new user, or one known from another organization. Nobody with an
 * address of the vendor's.
 */
export const addUser = platformCommand<Person & { organizationId: string }, MemberFacts, Account>({
  operation: 'addUser',
  action: 'account.add_user',
  refusals: ['ALREADY_EXISTS', 'VENDOR_ADDRESS'],
  resource: 'Organization',
  load: async (tx, { organizationId, email }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    return {
      id: newId(now),
      organization,
      ...(await findMember(tx, organizationId, { email })),
      isVendors: await isVendorAddress(tx, email),
    };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: ({ organization }) => ({ type: 'Organization', id: organization.id }),
  decide: ({ id, organization, account: known, isMember, isVendors }, { email, name }, { now }) => {
    if (isMember) return { refused: alreadyExists(`${email} is a member of the organization already.`) };
    if (known !== null && known.kind !== 'USER') {
      return { refused: alreadyExists(`${email} belongs to an account of another kind: ${known.kind}.`) };
    }
    if (isVendors) return { refused: invalidState('VENDOR_ADDRESS') };
    const account = known ?? newAccount(id, 'USER', { email, name }, now);
    return {
      answer: account,
      write: async (tx) => {
        if (known === null) await tx.account.create({ data: account });
        await tx.membership.create({
          data: { organizationId: organization.id, accountId: account.id, createdAt: now },
        });
      },
      entry: {
        auditResource: { type: 'User', id: account.id },
        auditContext: { organizationId: organization.id },
        details: { email, name: account.name },
      },
      accessChangedFor: [account.id],
    };
  },
});

type LeavingFacts = {
  organization: Organization;
  account: Account | null;
  isMember: boolean;
  /** Whether the organization has another active admin. */
  hasAnotherAdmin: boolean;
  /** Read for a Guard admin. */
  guardRole: GuardRoleFacts | null;
};

/**
 * Ends a membership, and with it every role the user holds in the organization. The account stays the person's, who may
 * belong to other organizations. Of the organization's own admins, the last one stays.
 */
export const removeUser = platformCommand<
  { organizationId: string; accountId: string },
  LeavingFacts,
  Account | ProposedChange
>({
  operation: 'removeUser',
  action: 'account.remove_user',
  refusals: ['TOO_MANY_CHANGES_WAIT', 'LAST_ORGANIZATION_ADMIN'],
  resource: 'Organization',
  isAnswerVisible: (relations) => relations.has('OPERATOR') || relations.has('ORGANIZATION_ADMIN'),
  lock: (tx, { organizationId }) => shareGuardAndLockAdmins(tx, organizationId),
  rights: takeAwayRights,
  load: async (tx, { organizationId, accountId }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const role = 'GUARD_ADMIN' as const;
    const guards = await tx.roleAssignment.count({
      where: { organizationId, accountId, role, syncState: 'SYNCED' },
    });
    return {
      organization,
      ...(await findMember(tx, organizationId, { id: accountId })),
      hasAnotherAdmin: await hasAnotherAdmin(tx, { organizationId, accountId }),
      guardRole:
        guards === 0
          ? null
          : await findGuardRoleFacts(tx, organizationId, membershipOf(accountId, organizationId), now),
    };
  },
  organizationId: ({ organization }) => organization.id,
  auditResource: (_, { accountId }) => ({ type: 'User', id: accountId }),
  decide: ({ organization, account, isMember, guardRole, ...facts }, { accountId }, by) => {
    if (account === null || !isMember) return { refused: notFound('User') };
    if (leavesNoAdmin(accountId, facts, by)) return { refused: invalidState('LAST_ORGANIZATION_ADMIN') };
    const instead = guardRole && insteadOfRemovingUser(account, organization, guardRole, by);
    if (instead !== null) return instead;
    const membership = { organizationId: organization.id, accountId };
    return {
      answer: account,
      write: async (tx) => {
        await noteFormerAdmin(tx, membership, by.now);
        await tx.roleAssignment.deleteMany({ where: membership });
        await tx.membership.deleteMany({ where: membership });
      },
      entry: { details: { email: account.email } },
      accessChangedFor: [accountId],
    };
  },
});

type NewcomerFacts = { id: string; isTaken: boolean; organizationExists: boolean };
type Newcomer = Person & { organizationId?: string | null };

function addAccount<Input extends Newcomer>(
  operation: 'addSupportEngineer' | 'addOperator' | 'addComplianceAnalyst' | 'addServiceAccount',
  action: AuditAction,
  kind: Account['kind'],
  more: (input: Input) => Partial<Account> = () => ({}),
  problem: (input: Input) => Refusal | null = () => null,
) {
  return platformCommand<Input, NewcomerFacts, Account>({
    operation,
    action,
    refusals: ['ALREADY_EXISTS'],
    resource: 'Account',
    load: async (tx, { email, organizationId }, now) => ({
      id: newId(now),
      isTaken: (await tx.account.count({ where: { email } })) > 0,
      organizationExists: organizationId == null || (await findOrganization(tx, organizationId)) !== null,
    }),
    auditResource: ({ id }) => ({ type: accountTypename[kind], id }),
    decide: ({ id, isTaken, organizationExists }, input, { now }) => {
      const { email, name } = input;
      const refused = problem(input);
      if (refused !== null) return { refused };
      if (isTaken) return { refused: alreadyExists(`There is an account with the email ${email} already.`) };
      if (!organizationExists) return { refused: invalidInput('organizationId', 'must be an organization.') };
      const account = { ...newAccount(id, kind, { email, name }, now), ...more(input) };
      return {
        answer: account,
        write: async (tx) => {
          await tx.account.create({ data: account });
        },
        // What belongs to a customer is in the customer's log.
        entry: {
          auditContext: { organizationId: account.organizationId },
          details: { email, name, ...more(input) },
        },
      };
    },
  });
}

export const addSupportEngineer = addAccount<Person>(
  'addSupportEngineer',
  'account.add_support_engineer',
  'SUPPORT_ENGINEER',
);
export const addOperator = addAccount<Person>('addOperator', 'account.add_operator', 'OPERATOR');

/** A person of the vendor's who reads the audit logs, and does nothing else. */
export const addComplianceAnalyst = addAccount<Person>(
  'addComplianceAnalyst',
  'account.add_compliance_analyst',
  'COMPLIANCE_ANALYST',
);

export type AddServiceAccountInput = Person & {
  capabilities: ServiceCapability[];
  organizationId: string | null;
  /** The keys of the products whose backend it is: with the capability ACCESS_EVALUATION, and only with it. */
  evaluatedProducts?: string[];
};

/** A product backend, a ticketing system, a SIEM: bound to one organization, or the vendor's own for all. */
export const addServiceAccount = addAccount<AddServiceAccountInput>(
  'addServiceAccount',
  'account.add_service_account',
  'SERVICE_ACCOUNT',
  ({ capabilities, organizationId, evaluatedProducts }) => ({
    ...{ capabilities, organizationId },
    ...(evaluatedProducts === undefined ? {} : { evaluatedProducts }),
  }),
  ({ capabilities, evaluatedProducts = [] }) => {
    const evaluates = capabilities.includes('ACCESS_EVALUATION');
    if (evaluates === evaluatedProducts.length > 0) return null;
    return invalidInput(
      'evaluatedProducts',
      evaluates
        ? 'must name at least one product with the capability ACCESS_EVALUATION.'
        : 'must be empty without the capability ACCESS_EVALUATION.',
    );
  },
);

/** The account loses rights: nobody may rely on them meanwhile. */
export function takeAwayRights({ accountId }: { accountId: string }): RightsLock {
  return { accountId, purpose: 'TAKE_AWAY' };
}

function newAccount(id: string, kind: Account['kind'], { email, name }: Person, now: Date): Account {
  return {
    ...{ id, kind, email, name },
    ...{ subject: null, subjectIssuer: null },
    active: true,
    capabilities: [],
    evaluatedProducts: [],
    organizationId: null,
    createdAt: now,
  };
}
