import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';
import { endsAccess } from '../../authorization/ends-access.ts';
import type { Lane } from './lane.ts';

/** The lane of an operation: `ENDING` for one or more mutations, if all of them end access. */
export function laneOf(document: DocumentNode, operationName: string | null): Lane {
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== OperationTypeNode.MUTATION) return 'ORDINARY';
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);

  function everyEnds({ selections }: SelectionSetNode): boolean {
    return selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return endsAccess(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return everyEnds(selection.selectionSet);
      const name = selection.name.value;
      const fragment = fragments.get(name);
      fragments.delete(name);
      return fragment === undefined || everyEnds(fragment.selectionSet);
    });
  }

  return everyEnds(operation.selectionSet) ? 'ENDING' : 'ORDINARY';
}
