/** What a new ticket brings: an outstanding request, and the reporter's approval of it if the consent box is ticked. */
import type { RelayedConsentOutcome } from '../../prisma/generated/client/enums.ts';
import { termsOf } from '../grants/terms.ts';
import type { UserViewer } from '../identity/viewer.ts';
import type { Product, SiteWithOrganization } from '../organizations/store.ts';
import { newId } from '../platform/ids.ts';
import { eligibility } from '../roles/eligibility.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { changeGrant } from './change-grant.ts';
import type { DecisionContext } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { openRequest } from './open-request.ts';
import { grantSubjectOf } from './ticket-command.ts';

export type NewTicket = {
  ticket: Ticket;
  site: SiteWithOrganization;
  product: Product;
  reporter: UserViewer;
  isTicked: boolean;
};

export type ConsentBox = {
  changes: DecidedGrantChange[];
  /** What came of a ticked box that a service account relayed; null where none did. */
  relayed: RelayedConsentOutcome | null;
};

/**
 * Opens the request for the data of the ticket's product and, if the box is ticked and the reporter's role allows it,
 * approves it for the reporter. Whoever is not the reporter relays the consent: that is recorded with the approval, and
 * it is one only if the site's policy says so. There is no request on a deactivated site or for an unlicensed product.
 */
export function consentBox(
  { ticket, site, product, reporter, isTicked }: NewTicket,
  by: DecisionContext,
): ConsentBox {
  const isRelayed = isTicked && by.viewer.id !== reporter.id;
  const box = (changes: DecidedGrantChange[], outcome: RelayedConsentOutcome) => ({
    changes,
    relayed: isRelayed ? outcome : null,
  });
  if (site.status === 'DEACTIVATED' || !product.licensed) return box([], 'NO_REQUEST');

  const place = { site, product };
  const changeContext = { ...grantSubjectOf({ ...ticket, site }), by, action: null, reason: null };
  const scope = { kind: 'PRODUCT_DATA' } as const;
  const request = openRequest({ ...ticket, ...place }, scope, reporter.id, null, newId(by.now));
  const opened = changeGrant(null, request, changeContext);
  if ('refused' in opened) return box([], 'NO_REQUEST');
  const { allowed } = eligibility({ isMember: true, assignments: reporter.assignments }, place);
  if (!isTicked || !allowed) return box(opened.changes, 'REPORTER_NOT_ELIGIBLE');
  if (isRelayed && !site.relayedConsentCounts) return box(opened.changes, 'AWAITS_CONFIRMATION');

  const approval = {
    type: 'Approve',
    by: reporter.id,
    path: 'TICKET_CREATION',
    expiresAt: null,
    terms: termsOf(site),
  } as const;
  const approved = changeGrant(opened.grant, approval, {
    ...changeContext,
    ...(isRelayed ? { relayedById: by.viewer.id } : {}),
  });
  return 'refused' in approved
    ? box(opened.changes, 'AWAITS_CONFIRMATION')
    : box([...opened.changes, ...approved.changes], 'COUNTED');
}
