/** The permissions of the viewer on a thing now: one field for each mutation on it. */
import type { AuditStream } from '../../audit/streams/store.ts';
import { type ChangeRequestRow, toChangeRequest } from '../../changes/row.ts';
import {
  type AllowedAction,
  allowedChangeRequestActions,
  allowedDeletionActions,
  allowedGrantActions,
  allowedProposedChangeActions,
  allowedStreamActions,
  allowedTicketActions,
} from '../../commands/allowed-actions.ts';
import { settledWithPlace } from '../../commands/decide-change-request.ts';
import { withGrant } from '../../commands/ticket-facts.ts';
import { isOpen } from '../../grants/grant.ts';
import { type GrantRow, toGrant } from '../../grants/row.ts';
import { endOfPlace } from '../../organizations/unsettled.ts';
import type { ProposedChange } from '../../proposals/store.ts';
import type { RovoDataDeletion } from '../../rovo/store.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { nodeOf } from '../visible-node.ts';
import { ErrorCode } from './error.ts';

const Permission = builder.objectRef<AllowedAction>('Permission').implement({
  description:
    'Whether the viewer may do one thing now, and if not, why. The mutation decides by the same rules.',
  fields: (t) => ({
    allowed: t.boolean({
      description:
        'Whether the mutation would succeed now, with nothing in its input but what it is about. An input with more can still be refused, and so can one that comes after somebody else has acted.',
      resolve: ({ refusal }) => refusal === null,
    }),
    code: t.field({
      type: ErrorCode,
      nullable: true,
      description: 'Why the mutation would be refused, for programs. Null where it is allowed.',
      resolve: ({ refusal }) => refusal?.code ?? null,
    }),
    message: t.string({
      nullable: true,
      description: 'Why the mutation would be refused and what to do, for people. Null where it is allowed.',
      resolve: ({ refusal }) => refusal?.message ?? null,
    }),
  }),
});

type Permissions = readonly AllowedAction[];

/** A type with a field for each of the mutations, under the mutation's name. */
function permissionsType<Action extends AllowedAction['action']>(
  name: string,
  description: string,
  texts: Readonly<Record<Action, string>>,
) {
  return builder.objectRef<Permissions>(name).implement({
    description,
    fields: (t) =>
      Object.fromEntries(
        Object.entries<string>(texts).map(([action, text]) => [
          action,
          t.field({
            type: Permission,
            description: `Whether the viewer may use \`${action}\`: ${text}`,
            resolve: (permissions: Permissions) => permissionFor(permissions, action),
          }),
        ]),
      ),
  });
}

function permissionFor(permissions: Permissions, action: string): AllowedAction {
  const found = permissions.find((each) => each.action === action);
  if (found === undefined) throw new Error(`There is no decision on whether the viewer may use ${action}`);
  return found;
}

export const GrantPermissions = permissionsType(
  'GrantPermissions',
  'What the viewer may do with a grant now: one field for each mutation that changes a grant, of the same name.',
  {
    approveDataAccess: 'approve the request for the customer.',
    denyDataAccess: 'deny the request for the customer.',
    approveGuardRequest: 'approve as a Guard admin what the customer has approved.',
    denyGuardRequest: 'deny as a Guard admin what the customer has approved.',
    revokeDataAccess: 'end the access at once, or take back an approval that awaits a Guard admin.',
    withdrawDataAccessRequest: 'take back the request as its engineer.',
    releaseDataAccess: 'give the access back as its engineer.',
  },
);

export const TicketPermissions = permissionsType(
  'TicketPermissions',
  'What the viewer may do with a ticket now: one field for each mutation on a ticket, of the same name.',
  {
    requestDataAccess: 'ask for access to the data of its product, as its engineer.',
    requestChange: "ask for the customer's consent to a change, as its engineer.",
    approveDataAccess:
      'approve the outstanding request for the data of its product, or open and approve one where none is outstanding.',
    assignTicket: 'assign it to an engineer, or to nobody.',
    updateTicketStatus: 'set its status to one that is not closed.',
    updateTicket: 'change its summary or its product.',
    closeTicket: 'close it.',
    reopenTicket: 'reopen it.',
  },
);

export const ProposedChangePermissions = permissionsType(
  'ProposedChangePermissions',
  'What the viewer may do with a proposed change now: one field for each mutation on it, of the same name. A confirmation can still be refused because the change can no longer be made.',
  {
    confirmProposedChange: 'confirm it, so that it takes effect.',
    declineProposedChange: 'decline it.',
    withdrawProposedChange: 'take it back.',
  },
);

export const ChangeRequestPermissions = permissionsType(
  'ChangeRequestPermissions',
  'What the viewer may do with a change request now: one field for each mutation on it, of the same name.',
  {
    consentToChange: 'consent to the change for the customer.',
    refuseChange: 'refuse the change for the customer.',
    revokeChangeConsent: 'take the consent back before the change was begun.',
    withdrawChangeRequest: 'take it back before the change was begun, as its engineer.',
    recordChangeResult: 'record what came of the change, as its engineer.',
  },
);

/** Decides on the present change request, even if the row is an earlier state of it, in a repeated result. */
export async function changeRequestPermissions(
  row: ChangeRequestRow,
  context: Context,
): Promise<Permissions> {
  // One in a final state never changes, so its row needs no second read.
  const now = row.endedAt === null ? await context.loaders.changeRequests.load(row.id) : row;
  const ticket = await context.loaders.tickets.load(row.ticketId);
  if (now === null || ticket === null) throw new Error(`Change request ${row.id} does not exist`);
  return allowedChangeRequestActions(
    { ticket, request: settledWithPlace(toChangeRequest(now), endOfPlace(ticket)) },
    questionOf(context),
  );
}

export const RovoDataDeletionPermissions = permissionsType(
  'RovoDataDeletionPermissions',
  "What the viewer may do with a deletion of Rovo's data now: one field for each mutation on it, of the same name.",
  {
    withdrawRovoDataDeletion: 'take the request back.',
    recordRovoDataDeletion: 'record that it has begun, as the backend of Rovo.',
  },
);

/** Decides on the present deletion, even if the row is an earlier state of it, in a repeated result. */
export async function deletionPermissions(row: RovoDataDeletion, context: Context): Promise<Permissions> {
  const now = row.endedAt === null ? await context.loaders.rovoDataDeletions.load(row.id) : row;
  if (now === null) throw new Error(`Deletion ${row.id} does not exist`);
  return allowedDeletionActions(now, questionOf(context));
}

export const AuditStreamPermissions = permissionsType(
  'AuditStreamPermissions',
  'What the viewer may do with a stream of the audit log now: one field for each mutation on it, of the same name.',
  {
    updateAuditStream: 'change its endpoint, its filter, its format or its size.',
    rotateAuditStreamSecret: 'give it a new secret.',
    pauseAuditStream: 'pause it.',
    resumeAuditStream: 'let it go on.',
    replayAuditStream: 'send everything after a position.',
    testAuditStream: 'send a test message.',
    deleteAuditStream: 'end it.',
  },
);

/** Decides on the present stream, even if the row is an earlier state of it, in a repeated result. Null: it was deleted. */
export async function streamPermissions(id: string, context: Context): Promise<Permissions | null> {
  const stream = await nodeOf<AuditStream>(context, 'AuditStream', id);
  const organization = await nodeOf<{ hasGuard: boolean }>(
    context,
    'Organization',
    stream?.organizationId ?? null,
  );
  if (stream === null || organization === null) return null;
  return allowedStreamActions({ stream, hasGuard: organization.hasGuard }, questionOf(context));
}

/** Decides on the present proposed change, even if the row is an earlier state of it, in a repeated result. */
export async function proposedChangePermissions(row: ProposedChange, context: Context): Promise<Permissions> {
  const now = row.state === 'WAITING' ? await context.loaders.proposedChanges.load(row.id) : row;
  if (now === null) throw new Error(`Proposed change ${row.id} does not exist`);
  return allowedProposedChangeActions({ change: now, effectAt: null }, questionOf(context));
}

export async function ticketPermissions(ticketId: string, context: Context): Promise<Permissions> {
  const facts = await factsOf(ticketId, context);
  // Only an engineer asks for changes, of which so many may be open.
  const isEngineer = viewerOf(context).kind === 'SUPPORT_ENGINEER';
  const changeRequests = isEngineer ? await context.loaders.openChangeRequests.load(ticketId) : [];
  return allowedTicketActions({ ...facts, changeRequests }, questionOf(context));
}

/** Decides on the present grant, even if the row is an earlier state of it: in an event, or in a repeated result. */
export async function grantPermissions(row: GrantRow, context: Context): Promise<Permissions> {
  const facts = await factsOf(row.ticketId, context);
  const shown = toGrant(row);
  const open = facts.grants.find(({ id }) => id === row.id);
  // A grant in a final state never changes, so its row needs no second read.
  const now = open ?? (isOpen(shown) ? await grantNow(row.id, context) : shown);
  return allowedGrantActions(withGrant(facts, now), questionOf(context));
}

async function grantNow(id: string, { loaders }: Context) {
  const row = await loaders.grants.load(id);
  if (row === null) throw new Error(`Grant ${id} does not exist`);
  return toGrant(row);
}

async function factsOf(ticketId: string, { loaders }: Context) {
  const facts = await loaders.ticketFacts.load(ticketId);
  if (facts === null) throw new Error(`Ticket ${ticketId} does not exist`);
  return facts;
}

function questionOf(context: Context) {
  return { viewer: viewerOf(context), now: context.services.clock() };
}
