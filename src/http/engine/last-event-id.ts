/**
 * Resumption of event streams as browsers do it: each event carries its cursor as `id`, and a request with that id
 * in `Last-Event-ID` continues after the event.
 */
import {
  type ArgumentNode,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { SerializedResult } from '../../graphql/subscriptions/shared-results.ts';
import type { EngineContext } from '../running-operation.ts';

/** A subscription resumes by this argument, whose value is this field of an earlier event. */
const resumeArgument = 'after';
const cursorField = 'cursor';

export function resumeByLastEventId(): Plugin<EngineContext> {
  return {
    onSubscribe({ args, subscribeFn, setSubscribeFn }) {
      const { operation, request } = args.contextValue;
      if (operation.transport !== 'HTTP') return;
      const lastEventId = request.headers.get('last-event-id');
      if (lastEventId) {
        setSubscribeFn((executionArgs) =>
          subscribeFn({ ...executionArgs, document: resumedAfter(lastEventId, executionArgs) }),
        );
      }
      return {
        onSubscribeResult: () => ({
          onNext({ result, setResult }) {
            const cursor = cursorOf(result);
            if (cursor !== null) setResult(withId(result, cursor));
          },
        }),
      };
    },
  };
}

/** Adds `after` to a document whose subscription has that argument, unless the request gives a value for it. */
function resumedAfter(cursor: string, args: ExecutionArgs): DocumentNode {
  const { schema, document, variableValues } = args;
  const isLeftOut = ({ value }: ArgumentNode) =>
    value.kind === Kind.NULL || (value.kind === Kind.VARIABLE && variableValues?.[value.name.value] == null);

  const resume = (field: FieldNode): FieldNode => {
    const given = field.arguments ?? [];
    const after = given.find(({ name }) => name.value === resumeArgument);
    if (after !== undefined && !isLeftOut(after)) return field;
    return { ...field, arguments: [...given.filter((argument) => argument !== after), argumentOf(cursor)] };
  };
  return visitRootFields(schema, document, resume);
}

/** Changes the fields of the subscription type, in the operation and in fragments. */
function visitRootFields(
  schema: GraphQLSchema,
  document: DocumentNode,
  change: (field: FieldNode) => FieldNode,
): DocumentNode {
  const typeInfo = new TypeInfo(schema);
  return visit(
    document,
    visitWithTypeInfo(typeInfo, {
      Field: {
        enter: () => (typeInfo.getParentType() === schema.getSubscriptionType() ? undefined : false),
        leave(field) {
          const hasArgument = typeInfo.getFieldDef()?.args.some(({ name }) => name === resumeArgument);
          return hasArgument === true ? change(field) : undefined;
        },
      },
    }),
  );
}

function argumentOf(cursor: string): ArgumentNode {
  return {
    kind: Kind.ARGUMENT,
    name: { kind: Kind.NAME, value: resumeArgument },
    value: { kind: Kind.STRING, value: cursor },
  };
}

/** The cursor of a result's event; null if the document does not select it. */
function cursorOf({ data }: ExecutionResult): string | null {
  const [event] = Object.values(data ?? {});
  if (typeof event !== 'object' || event === null || !(cursorField in event)) return null;
  const cursor = event[cursorField];
  // A field of another meaning may be aliased to `cursor`. A line break in it would end the event's `id` line.
  return typeof cursor === 'string' && /^[\w.~-]+$/.test(cursor) ? cursor : null;
}

/**
 * Adds a line with the event's `id`. Yoga writes `data: `, the serialized result and the end of the event, so the line
 * has to be part of the serialized result.
 */
function withId(result: SerializedResult, cursor: string): SerializedResult {
  const { stringify = () => JSON.stringify(result) } = result;
  return { ...result, stringify: () => `${stringify()}\nid: ${cursor}` };
}
