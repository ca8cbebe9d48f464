/**
 * Decides whether the result of an event's selection may be shared between viewers. Each field says so itself, by
 * the options of viewer-independence-plugin.ts. A field that does not say so is not shared.
 */
import {
  type DocumentNode,
  type GraphQLField,
  type GraphQLNamedOutputType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

type Field = GraphQLField<unknown, unknown>;

/** Whether the field has fields of its own that need no database: they are in the event. */
export function isOfTheEventItself({ extensions }: Field): boolean {
  return extensions['ofTheEventItself'] === true;
}

/**
 * Whether a field reads the same for every viewer. Of an interface: in every type that implements it, too.
 * `__typename` reads the same everywhere.
 */
export function isViewerIndependent(
  schema: GraphQLSchema,
  parent: GraphQLNamedOutputType,
  name: string,
): boolean {
  if (name === '__typename') return true;
  const types = isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent];
  return types.every((type) => {
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    return field?.extensions['viewerIndependent'] === true;
  });
}

/**
 * The names of the variables that distinguish the subscribers of one document whose selections read the same for
 * every viewer: those used within the selection. Null where a selected field may differ from viewer to viewer. The
 * arguments of the subscription field do not count: they decide which events are delivered, not how one reads.
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
        if (parent == null || !isViewerIndependent(schema, parent, name.value)) isSame = false;
      },
    }),
  );
  return isSame ? variables : null;
}
