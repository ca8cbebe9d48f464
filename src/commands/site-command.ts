/** What all commands on a site share. They lock the site, so that no command on its tickets runs meanwhile. */
import type { AuditAction } from '../audit/actions.ts';
import type { MutationName } from '../authorization/operations.ts';
import {
  relationsToProposedChange,
  relationsToSite,
  seesOrganization,
  seesProposedChange,
} from '../authorization/viewer-relations.ts';
import { lockSite } from '../organizations/locks.ts';
import { findSite, type Site, type SiteWithOrganization } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import type { ProposedChange } from '../proposals/store.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import { isProposedChange } from './propose.ts';
import { refusalsOfEveryCommand, type StateRefusalCode } from './refusal.ts';

type SiteSpec<Input, Row extends Site | ProposedChange, Extra extends object> = {
  operation: MutationName;
  action: AuditAction;
  /** Beyond those that every command on a site shares. */
  refusals: readonly StateRefusalCode[];
  /** Default: an exclusive lock on the site. */
  lock?: (tx: Transaction, siteId: string) => Promise<void>;
  extra?: (tx: Transaction, input: Input, site: SiteWithOrganization, now: Date) => Promise<Extra>;
  decide: (
    facts: { site: SiteWithOrganization } & Partial<Extra>,
    input: Input,
    by: DecisionContext,
  ) => Outcome<Row>;
};

export function siteCommand<
  Input extends { siteId: string },
  Row extends Site | ProposedChange,
  Extra extends object = object,
>(spec: SiteSpec<Input, Row, Extra>): Command<Input, { site: SiteWithOrganization } & Partial<Extra>, Row> {
  return {
    operation: spec.operation,
    action: spec.action,
    refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', ...spec.refusals],
    resource: 'Site',
    lock: (tx, { siteId }) => (spec.lock ?? lockSite)(tx, siteId),
    load: async (tx, input, now) => {
      const site = await findSite(tx, input.siteId);
      if (site === null) return null;
      const extra: Partial<Extra> = (await spec.extra?.(tx, input, site, now)) ?? {};
      return { ...extra, site };
    },
    relations: (viewer, { site }) => relationsToSite(viewer, site),
    isVisible: seesOrganization,
    seesAnswer: (viewer, answer) =>
      isProposedChange(answer)
        ? seesProposedChange(relationsToProposedChange(viewer, answer))
        : seesOrganization(relationsToSite(viewer, answer)),
    auditContext: ({ site }) => ({ organizationId: site.organizationId, siteId: site.id }),
    auditResource: ({ site }) => ({ type: 'Site', id: site.id }),
    decide: spec.decide,
  };
}
