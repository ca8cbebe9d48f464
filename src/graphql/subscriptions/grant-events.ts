/** What `grantEvents` delivers. */
import { visibleGrants } from '../../authorization/visibility.ts';
import { type GrantEventEnvelope, grantKind } from '../../events/kinds/grant.ts';
import { asOf, inStates } from '../../grants/as-of.ts';
import type { GrantRow } from '../../grants/row.ts';
import { inUse, type StreamEvent, type StreamKind } from './stream-kind.ts';

type Content = { grant: GrantRow };

export type GrantEvent = StreamEvent<GrantEventEnvelope, Content>;

export const grantEvents: StreamKind<GrantEventEnvelope, Content> = {
  name: 'grantEvents',
  kind: grantKind,
  subjectOf: ({ grantId, grantVersion }) => ({ id: grantId, version: grantVersion }),
  async listOpen(prisma, viewer, { filter: { siteId, ticketId }, at, after, limit }) {
    const found = await prisma.grant.findMany({
      where: {
        AND: [
          visibleGrants(viewer),
          inStates(['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'], at),
          { ticket: inUse },
          siteId == null ? {} : { siteId },
          ticketId == null ? {} : { ticketId },
          after === null ? {} : { id: { gt: after } },
        ],
      },
      include: { ticket: { select: { reporterId: true, site: { select: { organizationId: true } } } } },
      relationLoadStrategy: 'join',
      orderBy: { id: 'asc' },
      take: limit,
    });
    return found.map(({ ticket: { reporterId, site }, ...row }) => {
      const grant = asOf(row, at);
      const engineerIds = row.engineerId === null ? [] : [row.engineerId];
      const audience = { organizationId: site.organizationId, siteId: row.siteId, reporterId, engineerIds };
      return { id: grant.id, version: grant.version, content: { grant }, audience };
    });
  },
};
