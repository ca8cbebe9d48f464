import { relationsToSite, seesOrganization } from '../authorization/viewer-relations.ts';
import type { UserViewer, Viewer } from '../identity/viewer.ts';
import { findViewerByEmail, findViewerById } from '../identity/viewer-store.ts';
import { relayedConsentMail } from '../notifications/kinds/relayed-consent.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import { shareSiteOfProduct } from '../organizations/locks.ts';
import { findProduct, type ProductRef, type ProductWithSite } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { insertTicket, nextTicketKey } from '../tickets/store.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { Command } from './command.ts';
import { consentBox } from './consent-box.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { quotaRefusals, refuseTicket } from './quotas.ts';
import { forbidden, invalidInput, type Refusal, refusalsOfEveryCommand } from './refusal.ts';

export type CreateTicketInput = ProductRef &
  ReporterRef & {
    summary: string;
    /** The consent box of the request form. */
    grantDataAccess: boolean;
  };

/** For whom the ticketing system files it; the id null: the caller is the reporter. */
type ReporterRef = { reporterId: string | null } | { reporterEmail: string };

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
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', ...quotaRefusals.tickets],
  resource: 'Ticket',
  lock: shareSiteOfProduct,
  rights: (input) => {
    if ('reporterEmail' in input) return { accountEmail: input.reporterEmail, purpose: 'KEEP' };
    return input.reporterId === null ? null : { accountId: input.reporterId, purpose: 'KEEP' };
  },
  load: async (tx, input) => {
    const product = await findProduct(tx, input);
    if (product === null) return null;
    const reporter = await findReporter(tx, input);
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
  exceeded: (tx, { site }, asking) => refuseTicket(tx, site.organizationId, asking),
  decide: (facts, input, by) => {
    const { reporter: named, ticketKey: key, site, ...product } = facts;
    const { viewer, now } = by;
    if (viewer.kind === 'USER' && namesAnother(input, viewer)) {
      return { refused: forbidden('Only the ticketing system files tickets for somebody else.') };
    }
    const reporter = viewer.kind === 'USER' ? viewer : named;
    if (reporter === null || !reporter.organizationIds.includes(site.organizationId)) {
      return { refused: unknownReporter(input) };
    }

    const filed: Ticket = {
      id: newId(now),
      key,
      summary: input.summary,
      organizationId: site.organizationId,
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
      ...{ summaryMoment: null, productMoment: null },
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

async function findReporter(tx: Transaction, by: ReporterRef): Promise<Viewer | null> {
  if ('reporterEmail' in by) return await findViewerByEmail(tx, by.reporterEmail);
  return by.reporterId === null ? null : await findViewerById(tx, by.reporterId);
}

function namesAnother(by: ReporterRef, { id, email }: Viewer): boolean {
  return 'reporterEmail' in by ? by.reporterEmail !== email : by.reporterId !== null && by.reporterId !== id;
}

/** The same whether there is no such person or whether they are not in the organization. */
function unknownReporter(by: ReporterRef): Refusal {
  return 'reporterEmail' in by
    ? invalidInput('reporterEmail', "must be the address of an active user of the site's organization.")
    : invalidInput('reporterId', "must be an active user of the site's organization.");
}

function toConfirm({ grant }: DecidedGrantChange): MailRequest {
  return { kind: relayedConsentMail, aboutId: grant.id };
}
