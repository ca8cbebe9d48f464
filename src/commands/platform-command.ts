/** What the commands share that provision organizations, sites, products, accounts and roles. */
import type { AuditAction } from '../audit/actions.ts';
import type { AuditContext, AuditResource } from '../audit/entry.ts';
import type { MutationName, Relation } from '../authorization/operations.ts';
import {
  relationsToAccount,
  relationsToOrganization,
  relationsToPlatform,
  seesAccount,
  seesOrganization,
} from '../authorization/viewer-relations.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Transaction } from '../platform/database.ts';
import type { RightsLock } from '../roles/locks.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import type { Asking } from './quotas.ts';
import { invalidState, type Refusal, refusalsOfEveryCommand, type StateRefusalCode } from './refusal.ts';

type PlatformSpec<Input, Facts extends object, Row extends object> = {
  operation: MutationName;
  action: AuditAction;
  /** Beyond those that every such command shares. */
  refusals: readonly StateRefusalCode[];
  resource: string;
  lock?: (tx: Transaction, input: Input) => Promise<void>;
  rights?: (input: Input) => RightsLock | null;
  load: (tx: Transaction, input: Input, now: Date) => Promise<Facts | null>;
  /** The organization that the command changes. Left out: it changes the platform, which everybody may know of. */
  organizationId?: (facts: Facts) => string;
  /** The account that the command changes, or whose role, with the organizations it belongs to. */
  account?: (facts: Facts) => { id: string; organizationIds: readonly string[] };
  seesAnswer?(viewer: Viewer, answer: Row): boolean;
  /** Whether somebody in these relations to the organization may see the answer again. Left out: as what the input names. */
  isAnswerVisible?: (relations: ReadonlySet<Relation>) => boolean;
  exceeded?: (tx: Transaction, facts: Facts, asking: Asking) => Promise<Refusal | null>;
  auditResource: (facts: Facts, input: Input) => AuditResource;
  decide: (facts: Facts, input: Input, by: DecisionContext) => Outcome<Row>;
};

export function platformCommand<Input, Facts extends object, Row extends object>(
  spec: PlatformSpec<Input, Facts, Row>,
): Command<Input, Facts, Row> {
  const { organizationId: organizationOf, account: accountOf } = spec;
  return {
    operation: spec.operation,
    action: spec.action,
    refusals: [
      ...refusalsOfEveryCommand,
      ...(organizationOf === undefined && accountOf === undefined ? [] : (['NOT_FOUND'] as const)),
      ...spec.refusals,
    ],
    resource: spec.resource,
    lock: spec.lock ?? (async () => {}),
    rights: spec.rights,
    load: spec.load,
    relations: (viewer, facts) => {
      if (accountOf !== undefined) return relationsToAccount(viewer, accountOf(facts));
      return organizationOf === undefined
        ? relationsToPlatform(viewer)
        : relationsToOrganization(viewer, organizationOf(facts));
    },
    isVisible: (relations) => {
      if (accountOf !== undefined) return seesAccount(relations);
      return organizationOf === undefined || seesOrganization(relations);
    },
    ...(spec.seesAnswer === undefined ? {} : { seesAnswer: spec.seesAnswer }),
    ...(spec.isAnswerVisible === undefined ? {} : { isAnswerVisible: spec.isAnswerVisible }),
    exceeded: spec.exceeded,
    auditContext: (facts): AuditContext => ({ organizationId: organizationOf?.(facts) ?? null }),
    auditResource: spec.auditResource,
    decide: spec.decide,
  };
}

/** What is to be created exists already. The message says what exists. */
export function alreadyExists(message: string): Refusal {
  return invalidState('ALREADY_EXISTS', message);
}
