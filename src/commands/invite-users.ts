/**
 * How an organization's admins add members: they invite an address, and the person who has it accepts. Whether anybody
 * has it, and whose account that is, the admin does not learn before the person accepts: docs/decisions/0054.
 */
import { relationsToInvitation, seesInvitation } from '../authorization/viewer-relations.ts';
import { endInvitation, invitationWait } from '../organizations/invitation.ts';
import {
  type AddressFacts,
  findAddress,
  findInvitation,
  type Invitation,
  insertInvitation,
  saveInvitationEnd,
} from '../organizations/invitation-store.ts';
import { findMember, findOrganization, type Organization } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import { isVendorAddress } from '../roles/vendor-domains.ts';
import type { Command } from './command.ts';
import { alreadyExists, platformCommand } from './platform-command.ts';
import { quotaRefusals, refuseInvitation } from './quotas.ts';
import { invalidState, refusalsOfEveryCommand } from './refusal.ts';

type InviteFacts = { id: string; organization: Organization; address: AddressFacts };

/** Invites whoever has the address. It reads nothing of the address but what the organization's admins see anyway. */
export const inviteUser = platformCommand<
  { organizationId: string; email: string; name: string },
  InviteFacts,
  Invitation
>({
  operation: 'inviteUser',
  action: 'account.invite',
  refusals: ['ALREADY_EXISTS', 'VENDOR_ADDRESS', ...quotaRefusals.invitations],
  resource: 'Organization',
  load: async (tx, { organizationId, email }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    return { id: newId(now), organization, address: await findAddress(tx, organizationId, email) };
  },
  organizationId: ({ organization }) => organization.id,
  seesAnswer: (viewer, invitation) => seesInvitation(relationsToInvitation(viewer, invitation)),
  auditResource: ({ organization }) => ({ type: 'Organization', id: organization.id }),
  exceeded: (tx, { organization }, asking) => refuseInvitation(tx, organization.id, asking),
  decide: ({ id, organization, address }, { email, name }, { viewer, now }) => {
    const { isMember, isVendors, invitationId, expiresAt } = address;
    if (isMember) return { refused: alreadyExists(`${email} is a member of the organization already.`) };
    if (isVendors) return { refused: invalidState('VENDOR_ADDRESS') };
    const replaced = invitationId !== null && expiresAt !== null ? { id: invitationId, expiresAt } : null;
    if (replaced !== null && replaced.expiresAt > now)
      return {
        refused: alreadyExists(`${email} is invited already. To change the name, withdraw that invitation.`),
      };
    const invitation: Invitation = {
      ...{ id, organizationId: organization.id, email, name, invitedById: viewer.id },
      ...{ createdAt: now, expiresAt: new Date(now.getTime() + invitationWait) },
      ...{ state: 'WAITING', endedAt: null },
    };
    return {
      answer: invitation,
      write: async (tx) => {
        if (replaced !== null)
          await saveInvitationEnd(tx, replaced.id, { state: 'EXPIRED', endedAt: replaced.expiresAt });
        await insertInvitation(tx, invitation);
      },
      entry: {
        ...{ auditResource: { type: 'Invitation', id }, auditContext: { organizationId: organization.id } },
        details: { email, name },
      },
    };
  },
});

type InvitationInput = { invitationId: string };
type InvitationFacts = { invitation: Invitation };

const onInvitation = {
  resource: 'Invitation',
  lock: async () => {},
  relations: (viewer, { invitation }) => relationsToInvitation(viewer, invitation),
  isVisible: seesInvitation,
  seesAnswer: (viewer, invitation) => seesInvitation(relationsToInvitation(viewer, invitation)),
  auditContext: ({ invitation: { organizationId } }) => ({ organizationId }),
  auditResource: ({ invitation: { id } }) => ({ type: 'Invitation', id }),
} as const satisfies Partial<Command<InvitationInput, InvitationFacts, Invitation>>;

/** Takes an invitation back, as long as nobody has accepted it. */
export const withdrawInvitation: Command<InvitationInput, InvitationFacts, Invitation> = {
  ...onInvitation,
  operation: 'withdrawInvitation',
  action: 'account.withdraw_invitation',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', 'INVITATION_OVER'],
  load: async (tx, { invitationId }) => {
    const invitation = await findInvitation(tx, invitationId);
    return invitation && { invitation };
  },
  decide: ({ invitation }, _, { now }) => {
    const decision = endInvitation(invitation, 'WITHDRAWN', now);
    if ('refused' in decision) return { refused: invalidState(decision.refused) };
    return {
      answer: { ...invitation, ...decision.end },
      write: (tx) => saveInvitationEnd(tx, invitation.id, decision.end),
      entry: { details: { email: invitation.email } },
    };
  },
};

/** What the acceptance by an account with this address is decided on, besides the invitation. */
type AcceptFacts = InvitationFacts & {
  /** Whether the invited account is a member by now. */
  isMember: boolean;
  isVendors: boolean;
};

/** Makes the invited person a member. It takes the person: their address was proved when they signed in. */
export const acceptInvitation: Command<InvitationInput, AcceptFacts, Invitation> = {
  ...onInvitation,
  operation: 'acceptInvitation',
  action: 'account.accept_invitation',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', 'INVITATION_OVER', 'VENDOR_ADDRESS'],
  load: async (tx, { invitationId }) => {
    const invitation = await findInvitation(tx, invitationId);
    if (invitation === null) return null;
    const { organizationId, email } = invitation;
    return {
      invitation,
      isMember: (await findMember(tx, organizationId, { email })).isMember,
      isVendors: await isVendorAddress(tx, email),
    };
  },
  decide: ({ invitation, isMember, isVendors }, _, { viewer, now }) => {
    const decision = endInvitation(invitation, 'ACCEPTED', now);
    if ('refused' in decision) return { refused: invalidState(decision.refused) };
    if (isVendors) return { refused: invalidState('VENDOR_ADDRESS') };
    const { id, organizationId, email } = invitation;
    return {
      answer: { ...invitation, ...decision.end },
      write: async (tx) => {
        await saveInvitationEnd(tx, id, decision.end);
        if (!isMember)
          await tx.membership.create({ data: { organizationId, accountId: viewer.id, createdAt: now } });
      },
      entry: { details: { email, userId: viewer.id } },
      accessChangedFor: [viewer.id],
    };
  },
};
