/** What the commands share that provision organizations, sites, products and accounts. */
import type { AuditAction, AuditContext, AuditResource } from '../audit/entry.ts';
import type { MutationName } from '../authorization/operations.ts';
import {
  relationsToOrganization,
  relationsToPlatform,
  seesOrganization,
} from '../authorization/relations.ts';
import type { Transaction } from '../platform/database.ts';
import type { Command, Outcome } from './execute.ts';
import type { By } from './on-ticket.ts';
import { invalidState, type Refusal } from './refusal.ts';

type PlatformSpec<Input, Facts extends object, Row extends object> = {
  operation: MutationName;
  action: AuditAction;
  resource: string;
  lock?: (tx: Transaction, input: Input) => Promise<void>;
  load: (tx: Transaction, input: Input) => Promise<Facts | null>;
  /** The organization it is about; none: the platform itself. */
  organizationId?: (facts: Facts) => string | null;
  about: (facts: Facts, input: Input) => AuditResource;
  decide: (facts: Facts, input: Input, by: By) => Outcome<Row>;
};

export function platformCommand<Input, Facts extends object, Row extends object>(
  spec: PlatformSpec<Input, Facts, Row>,
): Command<Input, Facts, Row> {
  const organizationOf = (facts: Facts) => spec.organizationId?.(facts) ?? null;
  return {
    operation: spec.operation,
    action: spec.action,
    resource: spec.resource,
    lock: spec.lock ?? (async () => {}),
    load: spec.load,
    relations: (viewer, facts) => {
      const organizationId = organizationOf(facts);
      return organizationId === null
        ? relationsToPlatform(viewer)
        : relationsToOrganization(viewer, organizationId);
    },
    isVisible: (relations) => relations.has('OPERATOR') || seesOrganization(relations),
    belongsTo: (facts): AuditContext => ({ organizationId: organizationOf(facts) }),
    about: spec.about,
    decide: spec.decide,
  };
}

/** What is to be made is there already; says which and what to do. */
export function alreadyExists(message: string): Refusal {
  return { ...invalidState('ALREADY_EXISTS'), message };
}
