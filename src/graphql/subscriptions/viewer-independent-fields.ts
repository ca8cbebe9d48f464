/**
 * Which fields of an event read the same for everybody who hears it: such a selection is carried out once for
 * all of them. Whatever is not named here is carried out for each: a field whose answer depends on the
 * viewer, or might one day, does not belong here.
 */
import {
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

const account = ['__typename', 'id', 'name', 'email', 'kind', 'isActive', 'createdAt'];

/** By type. */
export const viewerIndependentFields: Readonly<Record<string, readonly string[]>> = {
  GrantEvent: ['__typename', 'id', 'cursor', 'type', 'occurredAt', 'grant'],
  Grant: [
    ...['__typename', 'id', 'state', 'scope', 'path', 'justification', 'version'],
    ...['requestedAt', 'approvalDueAt', 'activatedAt', 'expiresAt', 'endedAt', 'endReason'],
    ...['ticket', 'engineer', 'requestedBy', 'endedBy', 'decisions'],
  ],
  GrantScope: ['__typename', 'kind', 'conversationIds'],
  Decision: ['__typename', 'stage', 'outcome', 'reason', 'decidedAt', 'decidedBy'],
  Ticket: [
    ...['__typename', 'id', 'key', 'summary', 'status', 'version', 'createdAt', 'closedAt'],
    ...['reporter', 'assignee', 'product', 'site'],
  ],
  Product: ['__typename', 'id', 'key', 'name', 'isLicensed', 'site'],
  Site: [
    ...['__typename', 'id', 'url', 'name', 'status', 'experience', 'supportAccessRestricted'],
    ...['dataResidencyRegion', 'createdAt', 'organization'],
  ],
  Organization: ['__typename', 'id', 'name', 'hasGuard', 'createdAt'],
  Account: account.filter((field) => field !== 'id'),
  Node: ['__typename', 'id'],
  User: account,
  SupportEngineer: account,
  Operator: account,
  ServiceAccount: account,
};

/** Of these, the ones that are of the event itself: nothing is read from the database for them. By type. */
export const ofTheEventItself: Readonly<Record<string, readonly string[]>> = {
  GrantEvent: ['grant'],
  Grant: ['scope'],
};

/**
 * What tells apart subscribers of one document whose results differ although every field reads the same for
 * all: the variables within the selection. Null where a field is selected that may differ. The arguments of
 * the subscription itself do not count: they say which events come, not how one reads.
 */
export function variablesOfGroup(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ReadonlySet<string> | null {
  const variables = new Set<string>();
  const typeInfo = new TypeInfo(schema);
  const isOfSubscription = () => typeInfo.getParentType() === schema.getSubscriptionType();
  let isSame = true;
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      OperationDefinition: (definition) => (definition === operation ? undefined : false),
      VariableDefinition: () => false,
      Argument: () => (isOfSubscription() && typeInfo.getDirective() == null ? false : undefined),
      Variable: ({ name }) => void variables.add(name.value),
      Field({ name }) {
        const parent = typeInfo.getParentType();
        if (isOfSubscription()) return;
        if (parent == null || !viewerIndependentFields[parent.name]?.includes(name.value)) isSame = false;
      },
    }),
  );
  return isSame ? variables : null;
}
