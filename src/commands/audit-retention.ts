/** Sets for how long an organization keeps the entries of its audit log. */
import { shortens, withRetention } from '../audit/retention.ts';
import {
  relationsToOrganization,
  relationsToProposedChange,
  seesOrganization,
  seesProposedChange,
} from '../authorization/viewer-relations.ts';
import { lockGuard } from '../organizations/locks.ts';
import { findOrganization, type Organization } from '../organizations/store.ts';
import type { Change } from '../proposals/change.ts';
import { guardConfirmation } from '../proposals/protection.ts';
import type { ProposedChange } from '../proposals/store.ts';
import { retentionChange } from '../proposals/summary.ts';
import { platformCommand } from './platform-command.ts';
import { findProposalFacts, isProposedChange, type ProposalFacts, propose } from './propose.ts';

export type SetAuditRetentionInput = { organizationId: string; days: number | null };

type Facts = {
  organization: Organization;
  /** Read only where the change takes two people. */
  proposal: ProposalFacts | null;
};

/**
 * A shorter retention takes effect after seven days, and takes two people in an organization with Guard, because what is removed
 * does not come back. A longer one takes effect at once.
 */
export const setAuditRetention = platformCommand<
  SetAuditRetentionInput,
  Facts,
  Organization | ProposedChange
>({
  operation: 'setAuditRetention',
  action: 'organization.set_audit_retention',
  refusals: ['ANOTHER_CHANGE_WAITS', 'TOO_MANY_CHANGES_WAIT'],
  resource: 'Organization',
  // Nor does the organization get Guard, or lose it, meanwhile.
  lock: (tx, { organizationId }) => lockGuard(tx, organizationId),
  load: async (tx, { organizationId, days }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    const proposal = takesTwo(organization, days)
      ? await findProposalFacts(tx, organizationId, retentionOf(organizationId), now)
      : null;
    return { organization, proposal };
  },
  organizationId: ({ organization }) => organization.id,
  seesAnswer: (viewer, answer) =>
    isProposedChange(answer)
      ? seesProposedChange(relationsToProposedChange(viewer, answer))
      : seesOrganization(relationsToOrganization(viewer, answer.id)),
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: ({ organization, proposal }, { days }, by) => {
    const { id: organizationId, auditRetentionDays } = organization;
    if (proposal !== null && days !== null && by.isConfirmed !== true) {
      const proposed: Change = {
        ...{ kind: 'SET_AUDIT_RETENTION', about: retentionOf(organizationId), organizationId },
        ...{ siteId: null, subjectId: null, input: { organizationId, days } },
        before: { auditRetentionDays },
        after: { auditRetentionDays: days },
        summary: retentionChange(organization.name, auditRetentionDays, days),
      };
      return propose(proposed, guardConfirmation, proposal, by);
    }
    const retention = withRetention(organization, days, by.now);
    return {
      answer: { ...organization, ...retention },
      write: async (tx) => {
        await tx.organization.update({ where: { id: organizationId }, data: retention });
      },
      entry: {
        details: {
          ...{ from: auditRetentionDays, to: days },
          effectiveAt: retention.auditRetentionEffectiveAt,
        },
      },
    };
  },
});

function takesTwo({ hasGuard, auditRetentionDays }: Organization, days: number | null): boolean {
  return hasGuard && shortens(auditRetentionDays, days);
}

const retentionOf = (organizationId: string) => `audit retention of organization ${organizationId}`;
