import { approveDataAccess } from '../commands/approve-data-access.ts';
import { assignTicket, closeTicket } from '../commands/change-ticket.ts';
import { createTicket } from '../commands/create-ticket.ts';
import { denyDataAccess } from '../commands/deny-data-access.ts';
import { startSupportSession } from '../commands/support-sessions.ts';
import { siteUrls } from './customers.ts';
import type { LoadingContext } from './loading-context.ts';
import type { PersonaEmail } from './personas.ts';

type SampleTicket = {
  readonly summary: string;
  readonly product: string;
  readonly reporter: PersonaEmail;
  /** Whether the consent box is ticked. */
  readonly ticked: boolean;
  readonly engineer: 'erin@vendor.example' | 'sam@vendor.example' | null;
  /** What happens after the engineer is assigned, in order. */
  readonly followedBy?: readonly Step[];
};

type Step = { readonly by: PersonaEmail; readonly what: 'APPROVED' | 'DENIED' | 'CLOSED' | 'USED' };

/**
 * The tickets of GraphiQL's tabs, by the step that a tab shows. Each changing step has a ticket of its own, which
 * nothing else uses, so that it can be taken whatever happened before.
 */
export const ticketOfStep = {
  approve: 'The board takes a minute to load',
  decideAsGuard: 'Automation rules have stopped running',
  close: 'Attachments open as blank pages',
  reopen: 'Dashboards show the numbers of last week',
  startSession: 'The backlog loses its order',
  endSession: 'The import stops at 80 %',
} as const;

const tickets: readonly SampleTicket[] = [
  {
    ...{ summary: ticketOfStep.approve, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
  },
  {
    ...{ summary: ticketOfStep.decideAsGuard, product: `${siteUrls.vault}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
    followedBy: [{ by: 'vera@acme.example', what: 'APPROVED' }],
  },
  {
    ...{ summary: ticketOfStep.endSession, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'jack@acme.example', ticked: true, engineer: 'erin@vendor.example' },
    followedBy: [{ by: 'erin@vendor.example', what: 'USED' }],
  },
  {
    ...{ summary: 'Pages export without their images', product: `${siteUrls.main}/confluence` },
    ...{ reporter: 'carla@acme.example', ticked: true, engineer: 'sam@vendor.example' },
    followedBy: [{ by: 'carla@acme.example', what: 'CLOSED' }],
  },
  {
    ...{ summary: 'Search finds nothing since Monday', product: `${siteUrls.main}/confluence` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'sam@vendor.example' },
    followedBy: [{ by: 'tess@acme.example', what: 'DENIED' }],
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
  {
    ...{ summary: ticketOfStep.close, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
    followedBy: [{ by: 'jack@acme.example', what: 'APPROVED' }],
  },
  {
    ...{ summary: ticketOfStep.reopen, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'rita@acme.example', ticked: false, engineer: 'erin@vendor.example' },
    followedBy: [
      { by: 'jack@acme.example', what: 'APPROVED' },
      { by: 'rita@acme.example', what: 'CLOSED' },
    ],
  },
  {
    ...{ summary: ticketOfStep.startSession, product: `${siteUrls.main}/jira` },
    ...{ reporter: 'jack@acme.example', ticked: true, engineer: 'erin@vendor.example' },
  },
];

/** Files the sample tickets: at least one in each state that is worth a look. */
export async function fileSampleTickets(loading: LoadingContext): Promise<void> {
  const { as, id } = loading;
  for (const { summary, product, reporter, ticked: grantDataAccess, engineer, followedBy = [] } of tickets) {
    const ticket = { productId: id(product), summary, grantDataAccess, reporterId: null };
    const { id: ticketId } = await as(reporter, createTicket, ticket);
    if (engineer !== null) {
      await as('ticketing@vendor.example', assignTicket, { ticketId, engineerId: id(engineer) });
    }
    for (const step of followedBy) await take(step, ticketId, loading);
  }
}

async function take(
  { by, what }: Step,
  ticketId: string,
  { as, dependencies }: LoadingContext,
): Promise<void> {
  switch (what) {
    case 'APPROVED':
      await as(by, approveDataAccess, {
        ...{ ticketId, path: 'SUPPORT_PORTAL', expiresAt: null, reason: null, expectedVersion: null },
      });
      break;
    case 'DENIED': {
      const { prisma } = dependencies.database;
      const { id: grantId } = await prisma.grant.findFirstOrThrow({ where: { ticketId } });
      await as(by, denyDataAccess, {
        ...{ grantId, expectedVersion: null },
        reason: 'The space holds personal data: a screen share will do.',
      });
      break;
    }
    case 'USED': {
      const { prisma } = dependencies.database;
      const { id: grantId } = await prisma.grant.findFirstOrThrow({ where: { ticketId } });
      await as(by, startSupportSession, {
        ...{ grantId, reason: 'GATHER_LOGS', country: 'IE' },
        note: 'The log of the import, from the start to where it stops.',
      });
      break;
    }
    case 'CLOSED':
      await as(by, closeTicket, { ticketId });
      break;
  }
}
