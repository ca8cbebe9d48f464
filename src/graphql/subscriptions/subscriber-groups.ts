/**
 * The groups of subscribers that share results: those of one document with the same variables, if every field of its
 * selection has the same value for every viewer who may receive the event.
 */
import { type DocumentNode, type ExecutionArgs, getOperationAST } from 'graphql';
import { type CompiledSelection, compileSelection } from '../compiled/selection.ts';
import type { Context } from '../context.ts';
import { Group } from './shared-results.ts';
import { isOfTheEventItself, variablesOfGroup } from './viewer-independent-fields.ts';

type Operation = {
  variables: ReadonlySet<string> | null;
  compiled: CompiledSelection | null;
  groups: Map<string, Group>;
};

/** By document and operation name. The parser's cache keeps one document for each text. */
const operationsOfDocuments = new WeakMap<DocumentNode, Map<string, Operation>>();

/** Groups of one operation that are kept. Beyond that, each further subscriber is a group of its own. */
const maxGroups = 64;

/** The group of a subscriber. Null if results differ from viewer to viewer. */
export function groupOf(args: ExecutionArgs): Group | null {
  const { variables, compiled, groups } = operationOf(args);
  if (variables === null) return null;
  // A variable that was not given is not the same as null: it may have a default.
  const given = [...variables].map((variable) => [variable, args.variableValues?.[variable]]);
  // Around the event itself, an engineer who has lost the ticket sees less than others.
  const engineer = compiled === null ? engineerOf(args.contextValue as Context) : null;
  const key = JSON.stringify([engineer, Object.fromEntries(given)]);
  const group = groups.get(key) ?? new Group(compiled);
  if (groups.size < maxGroups) groups.set(key, group);
  return group;
}

function engineerOf({ viewer }: Context): string | null {
  return viewer?.kind === 'SUPPORT_ENGINEER' ? viewer.id : null;
}

function operationOf({ schema, document, operationName }: ExecutionArgs): Operation {
  const operations = operationsOfDocuments.get(document) ?? new Map<string, Operation>();
  operationsOfDocuments.set(document, operations);
  const known = operations.get(operationName ?? '');
  if (known !== undefined) return known;
  const definition = getOperationAST(document, operationName);
  const variables = definition == null ? null : variablesOfGroup(schema, document, definition);
  const compiled =
    definition == null || variables === null
      ? null
      : compileSelection(schema, document, definition, isOfTheEventItself);
  const operation: Operation = { variables, compiled, groups: new Map() };
  operations.set(operationName ?? '', operation);
  return operation;
}
