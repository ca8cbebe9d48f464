import type { ProposedChange as ProposedChangeRow } from '../../../prisma/generated/client/client.ts';
import { asOf } from '../../proposals/proposal.ts';
import type { Role as RoleName } from '../../roles/role.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { Account, User } from './account.ts';
import { ProposedChangePermissions, proposedChangePermissions } from './permissions.ts';
import { Role } from './role-assignment.ts';

const ProposedChangeKind = builder.enumType('ProposedChangeKind', {
  description: 'What a proposed change does: the mutation that waits.',
  values: {
    SET_SUPPORT_ACCESS_RESTRICTIONS: {
      description: '`setSupportAccessRestrictions`: switches the restrictions of a site off.',
    },
    SET_SUPPORT_ACCESS_POLICY: {
      description: '`setSupportAccessPolicy`: loosens the policy of a restricted site.',
    },
    ASSIGN_ROLE: { description: '`assignRole`: gives somebody a role.' },
    SYNC_ROLE: {
      description:
        '`triggerScimSync`: makes a role count that the identity provider has pushed. The other roles of the sync count already.',
    },
    REMOVE_ROLE: { description: '`removeRole`: takes a role away.' },
    REMOVE_USER: { description: '`removeUser`: ends a membership, and with it every role.' },
    SET_AUDIT_RETENTION: {
      description: '`setAuditRetention`: keeps the entries of the audit log for a shorter time.',
    },
  } as const,
});

export const ProposedChangeState = builder.enumType('ProposedChangeState', {
  description:
    'Whether a proposed change waits, or how it was settled. Every other state than `WAITING` is final.',
  values: {
    WAITING: { description: 'It waits for a confirmation, or for the time at which it takes effect.' },
    APPLIED: { description: 'It has taken effect: it was confirmed, or its time came.' },
    LAPSED: {
      description: 'It was confirmed, or its time came, and it could not be made any more. Nothing changed.',
    },
    DECLINED: { description: 'Somebody who could have confirmed it declined it.' },
    WITHDRAWN: { description: 'Its proposer or an organization admin took it back.' },
    EXPIRED: { description: 'Nobody confirmed it in time.' },
  } as const,
});

const Confirmation = builder.enumType('Confirmation', {
  description: 'Whose confirmation a proposed change needs.',
  values: {
    GUARD_ADMIN: {
      description:
        'An active Guard admin of the site or its organization who is not the proposer. Any Guard admin of the organization where the change is about all of it.',
    },
    ORGANIZATION_ADMIN: { description: 'An active organization admin.' },
  } as const,
});

/** The row as it is now, if it has expired. */
function settled(row: ProposedChangeRow, { services }: Context): ProposedChangeRow {
  return asOf(row, services.clock());
}

export const ProposedChange = builder.prismaNode('ProposedChange', {
  description:
    'A change that takes two people: proposed by one, it waits for the confirmation of another one, or for a time.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    changeKind: t.expose('kind', { type: ProposedChangeKind, description: 'What it does.' }),
    summary: t.exposeString('summary', {
      description: 'What it does, in one sentence for people, without a full stop.',
    }),
    before: t.field({
      type: 'JSONObject',
      description: 'The values that it replaces, by name, as they were when it was proposed.',
      resolve: ({ before }) => before as Record<string, unknown>,
    }),
    after: t.field({
      type: 'JSONObject',
      description: 'The values as they are to be, with the names of `before`.',
      resolve: ({ after }) => after as Record<string, unknown>,
    }),
    organization: t.relation('organization', { description: 'The organization that it is about.' }),
    site: t.relation('site', {
      nullable: true,
      description: 'The site that it is about. Null where it is about the whole organization.',
    }),
    affectedUser: t.relation('subject', {
      type: User,
      nullable: true,
      description: 'Whose role or membership it changes. Null where it changes no rights.',
    }),
    affectedRole: t.field({
      type: Role,
      nullable: true,
      description: 'The role that it gives or takes away. Null where it does neither.',
      resolve: ({ before, after }) => roleIn(after) ?? roleIn(before),
    }),
    proposedBy: t.relation('proposedBy', { type: Account, description: 'The account that proposed it.' }),
    proposedAt: t.expose('proposedAt', { type: 'DateTime', description: 'The time when it was proposed.' }),
    needsConfirmationBy: t.expose('needs', {
      type: Confirmation,
      description: 'Whose confirmation makes it take effect.',
    }),
    effectiveAt: t.expose('effectiveAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The time at which it takes effect without a confirmation. Null where it needs one. A Guard admin may confirm or decline it before.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time until which it waits for a confirmation. Null where it takes effect by time.',
    }),
    state: t.field({
      type: ProposedChangeState,
      description: 'Whether it waits, or how it was settled.',
      resolve: (row, _, context) => settled(row, context).state,
    }),
    settledBy: t.relation('settledBy', {
      type: Account,
      nullable: true,
      description:
        'The account that confirmed, declined or withdrew it. Null as long as it waits, and where time settled it.',
    }),
    settledAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The time at which it was settled. Null as long as it waits.',
      resolve: (row, _, context) => settled(row, context).settledAt,
    }),
    version: t.int({
      description: 'Starts at 1, and is 2 once it is settled.',
      resolve: (row, _, context) => settled(row, context).version,
    }),
    viewerMay: t.field({
      type: ProposedChangePermissions,
      description: 'What the viewer may do with it at this moment.',
      resolve: (row, _, context) => proposedChangePermissions(row, context),
    }),
  }),
});

function roleIn(values: unknown): RoleName | null {
  return (values as { role?: RoleName | null }).role ?? null;
}

export const ProposedChangeEdge = builder.edgeObject({
  name: 'ProposedChangeEdge',
  type: ProposedChange,
  description: 'A proposed change in a list.',
});

export const ProposedChangeConnection = builder.connectionObject(
  { name: 'ProposedChangeConnection', type: ProposedChange, description: 'A page of proposed changes.' },
  ProposedChangeEdge,
);
