/** What `sessionEvents` delivers. */
import { visibleSupportSessions } from '../../authorization/visibility.ts';
import { type SessionEventEnvelope, sessionKind } from '../../events/kinds/session.ts';
import { inStates } from '../../grants/as-of.ts';
import { inUse, type StreamEvent, type StreamKind } from './stream-kind.ts';

type Content = Pick<SessionEventEnvelope, 'session' | 'grant'>;

export type SessionEvent = StreamEvent<SessionEventEnvelope, Content>;

export const sessionEvents: StreamKind<SessionEventEnvelope, Content> = {
  name: 'sessionEvents',
  kind: sessionKind,
  subjectOf: ({ session }) => session,
  async listOpen(prisma, viewer, { filter: { siteId, ticketId, grantId }, at, after, limit }) {
    const found = await prisma.supportSession.findMany({
      where: {
        AND: [
          visibleSupportSessions(viewer),
          { endedAt: null, dueAt: { gt: at }, grant: inStates(['ACTIVE'], at) },
          { ticket: inUse },
          siteId == null ? {} : { siteId },
          ticketId == null ? {} : { ticketId },
          grantId == null ? {} : { grantId },
          after === null ? {} : { id: { gt: after } },
        ],
      },
      include: { grant: { include: { ticket: { select: { reporterId: true } } } } },
      relationLoadStrategy: 'join',
      orderBy: { id: 'asc' },
      take: limit,
    });
    return found.map(({ grant: { ticket, ...grant }, ...session }) => {
      const { id, version, organizationId, siteId, engineerId } = session;
      const audience = { organizationId, siteId, reporterId: ticket.reporterId, engineerIds: [engineerId] };
      return { id, version, content: { session, grant }, audience };
    });
  },
};
