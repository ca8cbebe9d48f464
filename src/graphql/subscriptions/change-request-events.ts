/** What `changeRequestEvents` delivers. */
import { visibleChangeRequests } from '../../authorization/visibility.ts';
import { inStates } from '../../changes/as-of.ts';
import { waitingChangeStates } from '../../changes/change-request.ts';
import { type ChangeRequestEventEnvelope, changeRequestKind } from '../../events/kinds/change-request.ts';
import { inUse, type StreamEvent, type StreamKind } from './stream-kind.ts';

type Content = Pick<ChangeRequestEventEnvelope, 'changeRequest'>;

export type ChangeRequestEvent = StreamEvent<ChangeRequestEventEnvelope, Content>;

export const changeRequestEvents: StreamKind<ChangeRequestEventEnvelope, Content> = {
  name: 'changeRequestEvents',
  kind: changeRequestKind,
  subjectOf: ({ changeRequest }) => changeRequest,
  async listOpen(prisma, viewer, { filter: { siteId, ticketId }, at, after, limit }) {
    const found = await prisma.changeRequest.findMany({
      where: {
        AND: [
          visibleChangeRequests(viewer),
          // What was begun stays open, whatever ends.
          { OR: [inStates(['IN_PROGRESS'], at), { ...inStates(waitingChangeStates, at), ticket: inUse }] },
          siteId == null ? {} : { siteId },
          ticketId == null ? {} : { ticketId },
          after === null ? {} : { id: { gt: after } },
        ],
      },
      include: { ticket: { select: { reporterId: true, assigneeId: true } } },
      relationLoadStrategy: 'join',
      orderBy: { id: 'asc' },
      take: limit,
    });
    return found.map(({ ticket: { reporterId, assigneeId }, ...changeRequest }) => {
      const { id, version, organizationId, siteId } = changeRequest;
      const engineerIds = assigneeId === null ? [] : [assigneeId];
      const audience = { organizationId, siteId, reporterId, engineerIds };
      return { id, version, content: { changeRequest }, audience };
    });
  },
};
