/**
 * Event streams that resume as browsers do it: each event carries its cursor as `id`, and a request with the
 * last of them as `Last-Event-ID` goes on from there.
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
import type { EngineContext } from './operation.ts';

/** The argument that a subscription resumes by, and the field of its events to be given there. */
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

/** The document with `after` where the subscription takes it and the request left it out. */
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

/** Wherever the fields of the subscription type stand: in the operation, or in a fragment. */
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
          const takesIt = typeInfo.getFieldDef()?.args.some(({ name }) => name === resumeArgument);
          return takesIt === true ? change(field) : undefined;
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

/** The cursor of a result's event, if it was asked for. */
function cursorOf({ data }: ExecutionResult): string | null {
  const [event] = Object.values(data ?? {});
  if (typeof event !== 'object' || event === null || !(cursorField in event)) return null;
  const cursor = event[cursorField];
  // A line break would end the field: what has one is no cursor of ours.
  return typeof cursor === 'string' && /^[\w.~-]+$/.test(cursor) ? cursor : null;
}

type SerializedResult = ExecutionResult & { stringify?: (result: ExecutionResult) => string };

/** The engine writes `data: ` before a result and ends the event after it: in between there is room for `id`. */
function withId(result: SerializedResult, cursor: string): SerializedResult {
  const { stringify = JSON.stringify } = result;
  return { ...result, stringify: (told) => `${stringify(told)}\nid: ${cursor}` };
}
