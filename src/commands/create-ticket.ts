import { relationsToSite, seesOrganization } from '../authorization/viewer-relations.ts';
import type { UserViewer } from '../identity/viewer.ts';
import { findViewerById } from '../identity/viewer-store.ts';
import { relayedConsentMail } from '../notifications/kinds/relayed-consent.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import { shareSiteOfProduct } from '../organizations/locks.ts';
import { findProduct, type ProductWithSite } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import { insertTicket, nextTicketKey } from '../tickets/store.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { Command } from './command.ts';
import { consentBox } from './consent-box.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { forbidden, invalidInput, refusalsOfEveryCommand } from './refusal.ts';

export type CreateTicketInput = {
  productId: string;
  summary: string;
  /** The consent box of the request form. */
  grantDataAccess: boolean;
  /** For whom the ticketing system files it; null: the caller is the reporter. */
  reporterId: string | null;
};

export type CreateTicketFacts = ProductWithSite & { reporter: UserViewer | null; ticketKey: string };

/**
 * Files a ticket, with an outstanding request for the data of its product.
 *
 * With the consent box ticked, the reporter approves that request in the same step, if their role allows it. If
 * not, the ticket is filed all the same, and the request waits for somebody who may approve. A deactivated site
 * accepts the ticket without a request. A consent that the ticketing system relays is recorded as relayed; where it
 * does not count by the site's policy, the reporter gets mail.
 */
export const createTicket: Command<CreateTicketInput, CreateTicketFacts, Ticket> = {
  operation: 'createTicket',
  action: 'ticket.create',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND'],
  resource: 'Ticket',
  lock: (tx, { productId }) => shareSiteOfProduct(tx, productId),
  rights: ({ reporterId }) => (reporterId === null ? null : { accountId: reporterId, purpose: 'KEEP' }),
  load: async (tx, { productId, reporterId }) => {
    const product = await findProduct(tx, productId);
    if (product === null) return null;
    const reporter = reporterId === null ? null : await findViewerById(tx, reporterId);
    return {
      ...product,
      reporter: reporter?.kind === 'USER' ? reporter : null,
      ticketKey: await nextTicketKey(tx),
    };
  },
  relations: (viewer, { site }) => relationsToSite(viewer, site),
  isVisible: seesOrganization,
  auditContext: ({ site }) => ({ organizationId: site.organizationId, siteId: site.id }),
  auditResource: ({ id }) => ({ type: 'Product', id }),
  decide: (facts, input, by) => {
    const { reporter: named, ticketKey: key, site, ...product } = facts;
    const { viewer, now } = by;
    if (viewer.kind === 'USER' && input.reporterId !== null && input.reporterId !== viewer.id) {
      return { refused: forbidden('Only the ticketing system files tickets for somebody else.') };
    }
    const reporter = viewer.kind === 'USER' ? viewer : named;
    if (reporter === null || !reporter.organizationIds.includes(site.organizationId)) {
      return { refused: invalidInput('reporterId', "must be an active user of the site's organization.") };
    }

    const filed: Ticket = {
      id: newId(now),
      key,
      summary: input.summary,
      siteId: site.id,
      productId: product.id,
      reporterId: reporter.id,
      assigneeId: null,
      status: 'OPEN',
      version: 1,
      createdAt: now,
      closedAt: null,
      consentRelayedById: null,
      relayedConsent: null,
      ...{ integrationId: null, externalId: null, statusMoment: null, assignmentMoment: null },
    };
    const isTicked = input.grantDataAccess;
    const { changes, relayed } = consentBox({ ticket: filed, site, product, reporter, isTicked }, by);
    const ticket: Ticket =
      relayed === null ? filed : { ...filed, consentRelayedById: viewer.id, relayedConsent: relayed };
    const { organizationId } = site;
    return {
      answer: ticket,
      write: (tx) => insertTicket(tx, ticket),
      entry: {
        auditResource: { type: 'Ticket', id: ticket.id },
        auditContext: { organizationId, siteId: site.id, ticketId: ticket.id },
        details: {
          ...{ key, product: product.key, reporterId: reporter.id, grantDataAccess: isTicked },
          ...(relayed === null ? {} : { relayedConsent: relayed }),
        },
      },
      grants: changes,
      mails: relayed === 'AWAITS_CONFIRMATION' ? changes.map(toConfirm) : [],
    };
  },
};

function toConfirm({ grant }: DecidedGrantChange): MailRequest {
  return { kind: relayedConsentMail, aboutId: grant.id };
}
