import { approveDataAccess } from '../commands/approve-data-access.ts';
import { assignTicket, closeTicket } from '../commands/change-ticket.ts';
import { createTicket } from '../commands/create-ticket.ts';
import { denyDataAccess } from '../commands/deny-data-access.ts';
import { siteUrls } from './customers.ts';
import type { Loading } from './loading.ts';
import type { PersonaEmail } from './personas.ts';

type SampleTicket = {
  readonly summary: string;
  readonly product: string;
  readonly reporter: PersonaEmail;
  /** The consent box. */
  readonly ticked: boolean;
  readonly engineer: 'erin@vendor.example' | 'sam@vendor.example' | null;
  /** What happened next: who did what. */
  readonly followedBy?: { readonly by: PersonaEmail; readonly what: 'APPROVED' | 'DENIED' | 'CLOSED' };
};

/** The ticket that everything on the start screen and in GraphiQL is about. */
export const boardTicket = 'The board takes a minute to load';
/** The one that a Guard admin is to decide on. */
export const vaultTicket = 'Automation rules have stopped running';

const tickets: readonly SampleTicket[] = [
  {
    ...{ summary: boardTicket, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
  },
  {
    ...{ summary: vaultTicket, product: `${siteUrls.vault}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
    followedBy: { by: 'vera@acme.example', what: 'APPROVED' },
  },
  {
    ...{ summary: 'The import stops at 80 %', product: `${siteUrls.main}/jira` },
    ...{ reporter: 'jack@acme.example', ticked: true, engineer: 'erin@vendor.example' },
  },
  {
    ...{ summary: 'Pages export without their images', product: `${siteUrls.main}/confluence` },
    ...{ reporter: 'carla@acme.example', ticked: true, engineer: 'sam@vendor.example' },
    followedBy: { by: 'carla@acme.example', what: 'CLOSED' },
  },
  {
    ...{ summary: 'Search finds nothing since Monday', product: `${siteUrls.main}/confluence` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'sam@vendor.example' },
    followedBy: { by: 'tess@acme.example', what: 'DENIED' },
  },
  {
    ...{ summary: 'Filters cannot be saved', product: `${siteUrls.labs}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: true, engineer: null },
  },
  {
    ...{ summary: 'We need an export before the site goes', product: `${siteUrls.old}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'sam@vendor.example' },
  },
  {
    ...{ summary: 'Notifications come twice', product: `${siteUrls.globex}/jira` },
    ...{ reporter: 'gil@globex.example', ticked: false, engineer: 'sam@vendor.example' },
  },
];

/** A ticket in each state that is worth looking at. */
export async function fileSampleTickets({ as, id, dependencies }: Loading): Promise<void> {
  for (const { summary, product, reporter, ticked: grantDataAccess, engineer, followedBy } of tickets) {
    const ticket = { productId: id(product), summary, grantDataAccess, reporterId: null };
    const { id: ticketId } = await as(reporter, createTicket, ticket);
    if (engineer !== null) {
      await as('ticketing@vendor.example', assignTicket, { ticketId, engineerId: id(engineer) });
    }
    const noWords = { reason: null, expectedVersion: null };
    switch (followedBy?.what) {
      case 'APPROVED':
        await as(followedBy.by, approveDataAccess, {
          ...{ ticketId, path: 'SUPPORT_PORTAL', expiresAt: null, ...noWords },
        });
        break;
      case 'DENIED': {
        const { prisma } = dependencies.database;
        const { id: grantId } = await prisma.grant.findFirstOrThrow({ where: { ticketId } });
        await as(followedBy.by, denyDataAccess, {
          ...{ grantId, expectedVersion: null },
          reason: 'The space holds personal data: a screen share will do.',
        });
        break;
      }
      case 'CLOSED':
        await as(followedBy.by, closeTicket, { ticketId });
        break;
      case undefined:
        break;
    }
  }
}
