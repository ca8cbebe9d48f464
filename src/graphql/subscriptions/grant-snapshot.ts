/** A grant as it was at a past moment, with its people and decisions of that moment. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import {
  type FieldNode,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { Account, Decision, Product, Site, Ticket } from '../../../prisma/generated/client/client.ts';
import type { TicketAtEvent } from '../../events/kinds/grant.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';
import { isOfTheEventItself } from './viewer-independent-fields.ts';

/** Marks a row as a snapshot: it is shown as it was, whatever has changed since. */
const snapshotMark: unique symbol = Symbol('snapshot');

export function isSnapshot(row: object): boolean {
  return snapshotMark in row;
}

type Relations = {
  engineer?: Account | null;
  endedBy?: Account | null;
  decisions?: Decision[];
  ticket?: SelectedTicket;
};
type SelectedSite = Site & { organization?: object };
type SelectedTicket = Ticket & {
  assignee?: Account | null;
  site?: SelectedSite;
  product?: Product & { site?: SelectedSite };
};

type EventOfGrant = { occurredAt: Date; ticket?: TicketAtEvent };

/**
 * Returns the row with the relations that the operation selects of it. They are read in their present state, and what
 * was added since the event is left out: a viewer who receives an event late may have lost the right to know it. So the
 * ticket is as it was, too, for an engineer who has lost it.
 */
export function grantSnapshot(
  row: GrantRow,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): GrantRow | Promise<GrantRow> {
  const snapshot = { ...row, [snapshotMark]: true };
  return selectsRelations(info) ? withRelations(snapshot, event, context, info) : snapshot;
}

async function withRelations(
  snapshot: GrantRow,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<GrantRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return snapshot;
  const { account, grant } = context.services.database.prisma;
  const now: (GrantRow & Relations) | null = await grant.findUnique({ ...query, where: { id: snapshot.id } });
  if (now === null) return snapshot;

  const { engineer, endedBy, decisions, ticket } = now;
  const { engineerId: id } = snapshot;
  const lostTicket = ticket !== undefined && hasLost(context, ticket) ? ticket : undefined;
  const isOther = now.engineerId !== id || (lostTicket !== undefined && lostTicket.assigneeId !== id);
  const then = id === null || !isOther ? null : await account.findUnique({ where: { id } });
  const relations: Relations = {
    ...(engineer === undefined || now.engineerId === id ? {} : { engineer: then }),
    ...(lostTicket === undefined ? {} : { ticket: ticketThen(lostTicket, snapshot, event.ticket, then) }),
    ...(endedBy === undefined || snapshot.endedById !== null ? {} : { endedBy: null }),
    ...(decisions === undefined
      ? {}
      : { decisions: decisions.filter(isKnownAt(snapshot, event.occurredAt)) }),
  };
  return { ...now, ...snapshot, ...relations };
}

/** Only an engineer may receive events of a ticket that they no longer see: others have their present rights to both. */
function hasLost({ viewer }: Context, { assigneeId }: Ticket): boolean {
  return viewer?.kind === 'SUPPORT_ENGINEER' && assigneeId !== viewer.id;
}

/**
 * The ticket right after the event. As long as a grant is open, its ticket is open and has its engineer, its site is
 * active and its product licensed.
 */
function ticketThen(
  { assignee, site, product, ...ticket }: SelectedTicket,
  { endReason, endedAt, engineerId, approvalDueAt, requestedAt, state }: GrantRow,
  known: TicketAtEvent | undefined,
  engineer: Account | null,
): SelectedTicket {
  const isClosed = endReason === 'TICKET_CLOSED';
  const { status, version, ...policy } = known ?? {
    ...{ status: isClosed ? ('CLOSED' as const) : ('OPEN' as const), version: 1 },
    supportAccessRestricted: state === 'PENDING_GUARD_APPROVAL',
    requestWaitSeconds: Math.round((approvalDueAt.getTime() - requestedAt.getTime()) / 1_000),
    ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: true },
  };
  const siteThen = (row: SelectedSite): SelectedSite => ({
    ...{ ...row, ...policy },
    status: endReason === 'SITE_DEACTIVATED' ? 'DEACTIVATED' : 'ACTIVE',
  });
  return {
    ...{ ...ticket, status, version, assigneeId: engineerId, closedAt: isClosed ? endedAt : null },
    ...(assignee === undefined ? {} : { assignee: ticket.assigneeId === engineerId ? assignee : engineer }),
    ...(site === undefined ? {} : { site: siteThen(site) }),
    ...(product === undefined
      ? {}
      : {
          product: {
            ...{ ...product, licensed: endReason !== 'PRODUCT_UNLICENSED' },
            ...(product.site === undefined ? {} : { site: siteThen(product.site) }),
          },
        }),
  };
}

/** Decisions made up to the event. Another gateway, whose clock is ahead, may have written the grant's earlier changes. */
function isKnownAt({ customerApprovedAt, activatedAt, endedAt }: GrantRow, moment: Date) {
  const facts = [moment, customerApprovedAt, activatedAt, endedAt].filter((at) => at !== null);
  const latest = Math.max(...facts.map((at) => at.getTime()));
  return ({ decidedAt }: Decision) => decidedAt.getTime() <= latest;
}

/** By field node: a parsed document does not change. */
const selectsRelationsByField = new WeakMap<FieldNode, boolean>();

/** Whether the selection contains anything that has to be read from the database. */
function selectsRelations({ fieldNodes, fragments, returnType }: GraphQLResolveInfo): boolean {
  const type = getNamedType(returnType);
  const fields = isObjectType(type) ? type.getFields() : {};
  const visited = new Set<string>();
  const doesSelect = ({ selectionSet }: { selectionSet?: SelectionSetNode | undefined }): boolean =>
    selectionSet?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const field = fields[selection.name.value];
        return selection.selectionSet !== undefined && (field === undefined || !isOfTheEventItself(field));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) return doesSelect(selection);
      const fragment = fragments[selection.name.value];
      if (fragment === undefined || visited.has(selection.name.value)) return false;
      visited.add(selection.name.value);
      return doesSelect(fragment);
    }) ?? false;
  return fieldNodes.some((field) => {
    const known = selectsRelationsByField.get(field) ?? doesSelect(field);
    selectsRelationsByField.set(field, known);
    return known;
  });
}
