import { relationsToTicket, seesGrantors } from '../../authorization/viewer-relations.ts';
import {
  type ObstacleCode,
  obstacleCodes,
  type ProductOnSite,
  type RequiredRole,
  requiredRoles,
} from '../../roles/eligibility.ts';
import { obstacleTexts } from '../../roles/obstacle-messages.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { boundedById, keysetConnection } from '../keyset-connection.ts';
import { User, UserConnection, UserEdge } from './account.ts';
import { Role } from './role-assignment.ts';

const obstacleMessages = Object.fromEntries(
  obstacleCodes.map((code) => [code, obstacleTexts[code].message]),
) as Record<ObstacleCode, string>;

const ObstacleCodeEnum = builder.enumType('ObstacleCode', {
  description:
    'A reason why somebody may not grant access. The reasons are ordered: look at the first one first.',
  values: enumValues(obstacleMessages),
});

const Obstacle = builder.objectRef<ObstacleCode>('Obstacle').implement({
  description: 'A reason why the viewer may not grant access, and what to do about it.',
  fields: (t) => ({
    code: t.field({
      type: ObstacleCodeEnum,
      description: 'The obstacle, for programs.',
      resolve: (code) => code,
    }),
    message: t.string({
      description: 'What is wrong, for people.',
      resolve: (code) => obstacleTexts[code].message,
    }),
    howToConfirm: t.string({
      description: 'How to confirm that it is so.',
      resolve: (code) => obstacleTexts[code].howToConfirm,
    }),
    fix: t.string({ description: 'How to fix it.', resolve: (code) => obstacleTexts[code].fix }),
  }),
});

const RoleReach = builder.enumType('RoleReach', {
  description: 'What a role must cover.',
  values: {
    ORGANIZATION: { description: 'The whole organization.' },
    SITE: { description: 'The site of the ticket.' },
    PRODUCT: { description: "The ticket's product on its site." },
  },
});

const RequiredRoleType = builder.objectRef<RequiredRole>('RequiredRole').implement({
  description: 'A role that may grant access here, and what it must cover.',
  fields: (t) => ({
    role: t.field({ type: Role, description: 'The role.', resolve: ({ role }) => role }),
    over: t.field({
      type: RoleReach,
      description: 'What the role must cover.',
      resolve: ({ over }) => over,
    }),
  }),
});

const grantorsById = boundedById('AccessEligibility.eligibleGrantors');

type TicketOnProduct = ProductOnSite & { status: string; reporterId: string; assigneeId: string | null };
type Eligibility = { obstacles: readonly ObstacleCode[]; ticket: TicketOnProduct };

/** The eligibility on a ticket. On a closed ticket nobody may grant, whatever their role. */
export function accessEligibilityOf(ticket: TicketOnProduct, ofViewer: readonly ObstacleCode[]): Eligibility {
  const obstacles = obstacleCodes.filter(
    (code) => ofViewer.includes(code) || (isClosed(ticket) && code === 'TICKET_CLOSED'),
  );
  return { obstacles, ticket };
}

function isClosed({ status }: TicketOnProduct): boolean {
  return status === 'CLOSED';
}

export const AccessEligibility = builder.objectRef<Eligibility>('AccessEligibility').implement({
  description:
    'Whether the viewer may grant access to the data of the product of a ticket, and if not, why, and who may.',
  fields: (t) => ({
    allowed: t.boolean({
      description: 'Whether the viewer may grant access now, once there is something to approve.',
      resolve: ({ obstacles }) => obstacles.length === 0,
    }),
    obstacles: t.field({
      type: [Obstacle],
      description:
        'Every reason why the viewer may not, the first to look at first. Empty where `allowed` is true.',
      resolve: ({ obstacles }) => [...obstacles],
    }),
    requiredRoles: t.field({
      type: [RequiredRoleType],
      description: 'Every role that may grant access here, the widest first.',
      resolve: ({ ticket }) => requiredRoles(ticket.site.experience),
    }),
    eligibleGrantors: t.connection(
      {
        type: User,
        nullable: true,
        description:
          'The users who may grant access now, newest first. Null where the viewer is neither a member of the organization nor an operator, or sees the ticket only because of a role that is not synced.',
        resolve: async ({ ticket }, args, context) => {
          if (!seesGrantors(relationsToTicket(viewerOf(context), ticket, ticket))) return null;
          return await keysetConnection(args, grantorsById, async ({ where, orderBy: order, take: limit }) =>
            isClosed(ticket)
              ? []
              : await context.loaders.eligibleGrantors.load({ place: ticket, ...where, order, limit }),
          );
        },
      },
      UserConnection,
      UserEdge,
    ),
  }),
});
