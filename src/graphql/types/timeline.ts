import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import { namedPeople, type TimelineKind, timelineKind, timelineSentence } from '../../audit/timeline.ts';
import type { ChangeRequestRow } from '../../changes/row.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { boundedById, keysetConnection, type Page, type PageArguments } from '../keyset-connection.ts';
import { nodeOf } from '../visible-node.ts';
import { AuditActor } from './audit-actor.ts';
import { ChangeRequest } from './change-request.ts';
import { Grant } from './grant.ts';

const TimelineItemKind = builder.enumType('TimelineItemKind', {
  description: 'What happened on a ticket.',
  values: enumValues<TimelineKind>({
    TICKET_FILED: 'The ticket was filed.',
    TICKET_ASSIGNED: 'The ticket was assigned to an engineer, or to nobody.',
    TICKET_STATUS_CHANGED: 'The status of the open ticket was changed.',
    TICKET_UPDATED: 'The summary, the product or the status of the ticket was changed.',
    TICKET_CLOSED: 'The ticket was closed.',
    TICKET_REOPENED: 'The ticket was reopened.',
    ACCESS_REQUESTED: 'Access was requested.',
    ACCESS_APPROVED:
      'The customer approved a request. Where support access is restricted, a Guard admin decides next.',
    ACCESS_APPROVED_BY_GUARD: 'A Guard admin approved a request that the customer had approved.',
    ACCESS_DENIED: 'The customer denied a request.',
    ACCESS_DENIED_BY_GUARD: 'A Guard admin denied a request.',
    APPROVAL_LAPSED: "The customer's approval lapsed. The customer decides again.",
    REQUEST_WITHDRAWN:
      'A request ended before it was decided: it was taken back, or its ticket, site or licence ended.',
    REQUEST_EXPIRED: 'A request expired: nobody decided in time.',
    ACCESS_REVOKED: 'Access was revoked, or ended with the ticket.',
    ACCESS_RELEASED: 'The engineer gave access back.',
    ACCESS_ENDED:
      'Access ended: its time ran out, its site was deactivated, its product unlicensed, or its ticket got another product.',
    ACCESS_REASSIGNED: 'A grant passed to another engineer, or to nobody, with its ticket.',
    CHANGE_REQUESTED: 'The engineer asked for the consent to a change.',
    CHANGE_CONSENTED: 'The customer consented to a change.',
    CHANGE_REFUSED: 'The customer refused a change.',
    CHANGE_CONSENT_REVOKED: 'The customer took the consent to a change back.',
    CHANGE_WITHDRAWN:
      'The engineer took the request for a change back, or it ended with its ticket, the assignment, its site or licence.',
    CHANGE_EXPIRED: 'A change was not decided, or not begun, in time.',
    CHANGE_BEGUN: "The product's backend was allowed to make a change.",
    CHANGE_COMPLETED: 'The engineer recorded what came of a change.',
    SESSION_STARTED: 'The engineer started a support session, to use a grant.',
    SESSION_ENDED: 'A support session ended: its engineer ended it, or the use of its grant ended.',
  }),
});

export const TimelineItem = builder.prismaNode('AuditEntry', {
  variant: 'TimelineItem',
  description: 'Something that happened on a ticket.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    kind: t.field({
      type: TimelineItemKind,
      description: 'What happened, for programs.',
      resolve: (entry) => timelineKind(entry),
    }),
    summary: t.string({
      description: 'What happened, for people: one sentence.',
      resolve: async (entry, _, context) => timelineSentence(entry, await namesIn(entry, context)),
    }),
    occurredAt: t.expose('occurredAt', {
      type: 'DateTime',
      description: 'When it happened, by the clock of the database.',
    }),
    actor: t.field({ type: AuditActor, description: 'Who did it.', resolve: (entry) => entry }),
    grant: t.field({
      type: Grant,
      nullable: true,
      description: 'The grant that it is about, as it is now. Null where it is about none.',
      resolve: ({ grantId }, _, context) => nodeOf(context, 'Grant', grantId),
    }),
    changeRequest: t.field({
      type: ChangeRequest,
      nullable: true,
      description: 'The change request that it is about, as it is now. Null where it is about none.',
      resolve: ({ resourceType: type, resourceId: id }, _, context) =>
        nodeOf<ChangeRequestRow>(context, 'ChangeRequest', type === 'ChangeRequest' ? id : null),
    }),
  }),
});

/** The names of the people that the details of an entry have, by key. */
async function namesIn(
  { details }: AuditRow,
  { loaders }: Context,
): Promise<Record<string, string | undefined>> {
  const ids = details as Record<string, unknown>;
  const names = namedPeople.map(async (key): Promise<[string, string | undefined]> => {
    const id = ids[key];
    if (typeof id !== 'string') return [key, undefined];
    return [key, (await loaders.resourceNames.load({ type: 'User', id })) ?? undefined];
  });
  return Object.fromEntries(await Promise.all(names));
}

export const TimelineEdge = builder.edgeObject({
  name: 'TimelineItemEdge',
  type: TimelineItem,
  description: 'An item of a timeline.',
});

export const TimelineConnection = builder.connectionObject(
  { name: 'TimelineItemConnection', type: TimelineItem, description: 'A page of a timeline.' },
  TimelineEdge,
);

/** A cursor has the id of an entry, whose position is read with the page. */
const byPosition = boundedById('Ticket.timeline');

/** A page of the timeline of a ticket; null where the viewer does not see its grants. */
export async function timelineOf(
  ticketId: string,
  args: PageArguments,
  { loaders }: Context,
): Promise<Page<AuditRow> | null> {
  if (!(await loaders.seesTimeline.load(ticketId))) return null;
  return await keysetConnection(args, byPosition, ({ where, orderBy: order, take: limit }) =>
    loaders.timelines.load({ ticketId, ...where, order, limit }),
  );
}
