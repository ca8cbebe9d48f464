/** The text of each obstacle: what is wrong, how to confirm it, how to fix it. */
import type { ObstacleCode } from './eligibility.ts';

export type ObstacleText = { message: string; howToConfirm: string; fix: string };

export const obstacleTexts: Record<ObstacleCode, ObstacleText> = {
  WRONG_PRODUCT: {
    message: 'You administer a different product than the one this ticket is about.',
    howToConfirm: "Compare the ticket's product with the product your role is for.",
    fix: 'Ask an admin of the affected product to grant on your behalf, or have an organization admin extend your role.',
  },
  WRONG_SITE: {
    message: 'You hold the right kind of role, but on a different site.',
    howToConfirm: "Compare the ticket's site URL with the site your role is on.",
    fix: 'Ask somebody who holds the role on the affected site, or open the ticket for the site you administer.',
  },
  NOT_LISTED_AS_CONTACT: {
    message: 'You are a billing admin or technical contact, but not listed for this product on this site.',
    howToConfirm: 'Look up the contacts listed for the affected product on this site.',
    fix: 'Have yourself listed as a contact for the affected product, or ask an organization admin.',
  },
  TICKET_CLOSED: {
    message: 'The ticket is closed. A closed ticket accepts no requests and no grants.',
    howToConfirm: "Look at the ticket's status.",
    fix: 'Reopen the ticket, or open a new one.',
  },
  SITE_DEACTIVATED: {
    message: 'The site is deactivated. It accepts tickets, but no grants.',
    howToConfirm: "Look at the site's status.",
    fix: 'Reactivate the site, or open a new ticket on an active site.',
  },
  PRODUCT_NOT_LICENSED: {
    message: 'The product is not licensed on this site, so its data cannot be opened to support.',
    howToConfirm: "Look at the site's products.",
    fix: 'License the product on the site, or open a ticket about a licensed product.',
  },
  ROLE_NOT_SYNCED: {
    message: 'Your role was changed through SCIM and is not synced yet.',
    howToConfirm: 'Look at your role assignments: this one is PENDING_SYNC.',
    fix: 'Trigger a manual SCIM sync, then try again.',
  },
  ROLE_NOT_IN_THIS_EXPERIENCE: {
    message: "Your role does not grant access under this site's user management experience.",
    howToConfirm: "Compare the site's experience (Centralized or Original) with the roles that are required.",
    fix: 'Ask somebody who holds one of the required roles, or have one of them assigned to you.',
  },
  NO_MATCHING_ROLE: {
    message: 'You hold no role that covers this product on this site.',
    howToConfirm: 'Compare your role assignments with the roles that are required.',
    fix: 'Ask one of the eligible people to grant on your behalf, or have a required role assigned to you.',
  },
  NOT_A_MEMBER: {
    message: 'You are not a member of the organization this site belongs to.',
    howToConfirm: "Compare your organizations with the site's.",
    fix: 'Ask a member of the organization who holds one of the required roles.',
  },
};
