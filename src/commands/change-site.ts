/** The commands that change a site, and what each does to the grants and change requests on it. */
import type { EndOfItsUse } from '../changes/change-request.ts';
import type { ChangeOnTicket, TicketOfChange } from '../changes/event.ts';
import { listWaitingChangeRequestsOfSite, type WaitingChangeRequests } from '../changes/store.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import { listOpenGrantsOfSite, type OpenGrants } from '../grants/store.ts';
import { lockSiteAndGuard } from '../organizations/locks.ts';
import type { Site, SiteWithOrganization } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import type { Change } from '../proposals/change.ts';
import { guardConfirmation } from '../proposals/protection.ts';
import type { ProposedChange } from '../proposals/store.ts';
import { restrictionsOff } from '../proposals/summary.ts';
import { applyTimeLimits, changeOpenGrants } from './change-grant.ts';
import { type DecisionContext, endedAtOnce, type Outcome } from './command.ts';
import { endChangeRequests } from './end-change-requests.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { findProposalFacts, type ProposalFacts, propose } from './propose.ts';
import { invalidState } from './refusal.ts';
import { siteCommand } from './site-command.ts';

/** What ends with a site or a licence: all of it, or more than one transaction ends. */
export type OpenOnSite = { open: OpenGrants; changeRequests: WaitingChangeRequests };

/**
 * What is open on a site, or for one product of it, and no more than is needed to know that it is too much for one
 * transaction. Two statements; the caller holds the site's lock.
 */
export async function listOpenOnSite(
  tx: Transaction,
  siteId: string,
  productId: string | null,
): Promise<OpenOnSite> {
  const open = await listOpenGrantsOfSite(tx, siteId, productId, endedAtOnce + 1);
  const changeRequests = await listWaitingChangeRequestsOfSite(tx, siteId, productId, endedAtOnce + 1);
  return { open, changeRequests };
}

/** Whether it is left to the background job to write that it is over: too much, or what ended before for another reason. */
export function isLeftUnsettled(
  { open, changeRequests }: { [Each in keyof OpenOnSite]: OpenOnSite[Each] | undefined },
  { rules }: DecisionContext,
) {
  const most = Math.max(open?.grants.length ?? 0, changeRequests?.requests.length ?? 0);
  const endedBefore = [...(open?.tickets.values() ?? [])].some(
    ({ product }) => product.unsettledSince != null,
  );
  return endedBefore || most > (rules.endedAtOnce ?? endedAtOnce);
}

/**
 * Deactivating a site ends the pending and active grants on it, and withdraws what is to be changed there, so that
 * nothing comes back with the site. Access ends with this transaction, however much is open; what is too much for it is
 * written by the background job (settle-places.ts).
 */
export const deactivateSite = siteCommand<{ siteId: string }, Site, OpenOnSite>({
  operation: 'deactivateSite',
  action: 'site.deactivate',
  refusals: ['SITE_DEACTIVATED'],
  extra: (tx, { siteId }) => listOpenOnSite(tx, siteId, null),
  decide: ({ site, open, changeRequests }, _, by) => {
    if (site.status === 'DEACTIVATED') {
      return { refused: invalidState('SITE_DEACTIVATED', 'The site is deactivated already.') };
    }
    if (isLeftUnsettled({ open, changeRequests }, by)) {
      const mark = { unsettledSince: by.now, unsettledById: by.viewer.id };
      const outcome = change(site, { status: 'DEACTIVATED', ...mark });
      return { ...outcome, entry: { details: { status: 'DEACTIVATED' } }, unsettledSiteId: site.id };
    }
    const grants = changeGrantsOnSite(open, { type: 'DeactivateSite', by: by.viewer.id }, site, by);
    const ended = endChangeRequestsOnSite(changeRequests, 'SITE_DEACTIVATED', by, (ticket) => ({
      ...{ ...ticket, site: { ...site, status: 'DEACTIVATED' } },
    }));
    return { ...change(site, { status: 'DEACTIVATED' }), grants, changeRequests: ended };
  },
});

/** The site accepts grants again; none of the old ones comes back. So all of them have to be over first. */
export const reactivateSite = siteCommand<{ siteId: string }, Site>({
  operation: 'reactivateSite',
  action: 'site.reactivate',
  refusals: ['SITE_NOT_DEACTIVATED', 'NOT_SETTLED_YET'],
  decide: ({ site }) => {
    if (site.status === 'ACTIVE') return { refused: invalidState('SITE_NOT_DEACTIVATED') };
    return site.unsettledSince === null
      ? change(site, { status: 'ACTIVE' })
      : { refused: invalidState('NOT_SETTLED_YET') };
  },
});

type RestrictionsInput = { siteId: string; restricted: boolean };

/**
 * Switches the Guard's second approval on or off. Once on, every approval needs it; once off, those of requests that were
 * opened before still do. Active grants stay active. Switching it off takes two people.
 */
export const setSupportAccessRestrictions = siteCommand<
  RestrictionsInput,
  Site | ProposedChange,
  LooseningFacts
>({
  operation: 'setSupportAccessRestrictions',
  action: 'site.set_support_access_restrictions',
  refusals: ['ORGANIZATION_WITHOUT_GUARD', 'TOO_MANY_CHANGES_WAIT'],
  lock: lockSiteAndGuard,
  extra: async (tx, { restricted }, site, now) =>
    restricted || !site.supportAccessRestricted
      ? {}
      : await loosening(tx, site, restrictionsOf(site.id), now),
  decide: ({ site, proposal }, input, by) => {
    const { restricted } = input;
    if (restricted && !site.organization.hasGuard)
      return { refused: invalidState('ORGANIZATION_WITHOUT_GUARD') };
    if (restricted || !site.supportAccessRestricted || by.isConfirmed)
      return change(site, { supportAccessRestricted: restricted });
    const proposed: Change = {
      ...{ kind: 'SET_SUPPORT_ACCESS_RESTRICTIONS', about: restrictionsOf(site.id), input },
      ...placeOf(site),
      before: { supportAccessRestricted: true },
      after: { supportAccessRestricted: false },
      summary: restrictionsOff(site.url),
    };
    return propose(proposed, guardConfirmation, read(proposal), by);
  },
});

/** Read only where the command loosens what is restricted. */
export type LooseningFacts = { proposal?: ProposalFacts };

export async function loosening(
  tx: Transaction,
  { organizationId }: Site,
  about: string,
  now: Date,
): Promise<LooseningFacts> {
  return { proposal: await findProposalFacts(tx, organizationId, about, now) };
}

export function read(facts: ProposalFacts | undefined): ProposalFacts {
  if (facts === undefined) throw new Error('A change takes two people, and its proposal was not read');
  return facts;
}

const restrictionsOf = (siteId: string) => `support access restrictions of site ${siteId}`;

export function placeOf({ id: siteId, organizationId }: Site) {
  return { organizationId, siteId, subjectId: null };
}

/** Runs the command on every open grant among these. A grant whose time had already run out ends as expired. */
export function changeGrantsOnSite(
  open: OpenGrants | undefined,
  command: GrantCommand,
  site: Site,
  by: DecisionContext,
): DecidedGrantChange[] {
  if (open === undefined) return [];
  const ticketOf = (ticketId: string) => {
    const ticket = open.tickets.get(ticketId);
    if (ticket === undefined) throw new Error(`Ticket ${ticketId} was not read with its grants`);
    return { ...ticket, site };
  };
  const subject = { organizationId: site.organizationId, ticketOf };
  // What ended with its licence before is not settled with the rest.
  const inUse = open.grants.filter(
    ({ ticketId }) => open.tickets.get(ticketId)?.product.unsettledSince == null,
  );
  const settled = applyTimeLimits(inUse, subject, by.now);
  return [...settled.changes, ...changeOpenGrants(settled.grants, command, { ...subject, by })];
}

/** Withdraws the waiting change requests among these. `after`: their ticket, with its site and product as they are then. */
export function endChangeRequestsOnSite(
  open: WaitingChangeRequests | undefined,
  reason: EndOfItsUse,
  by: DecisionContext,
  after: (ticket: Omit<TicketOfChange, 'site'>) => TicketOfChange,
): ChangeOnTicket[] {
  const ticketOf = (ticketId: string) => {
    const ticket = open?.tickets.get(ticketId);
    if (ticket === undefined) throw new Error(`Ticket ${ticketId} was not read with its change requests`);
    return after(ticket);
  };
  return endChangeRequests(open?.requests, reason, ticketOf, by);
}

export function change(
  { organization: _, ...site }: SiteWithOrganization,
  changes: Partial<Site>,
): Extract<Outcome<Site>, { answer: Site }> {
  return {
    answer: { ...site, ...changes },
    entry: { details: changes },
    write: async (tx) => {
      await tx.site.update({ where: { id: site.id }, data: changes });
    },
  };
}
