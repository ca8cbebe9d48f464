import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/**
 * Counts the selections of all operations of a document as if each fragment stood where it is spread. Fragments that
 * spread others several times multiply: a document of 1 KB can expand to billions. Each fragment is visited once.
 *
 * A fragment that contains itself counts as empty there: validation refuses it.
 */
export function countExpandedSelections(
  document: DocumentNode,
  /** Called for each selection that is visited. */
  onVisit: (selection: SelectionNode) => void = () => undefined,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const counts = new Map<string, number>();

  function inFragment(name: string): number {
    const known = counts.get(name);
    if (known !== undefined) return known;
    counts.set(name, 0);
    const count = inSelections(fragments.get(name)?.selectionSet);
    counts.set(name, count);
    return count;
  }

  function inSelections(selected: SelectionSetNode | undefined): number {
    let count = 0;
    for (const selection of selected?.selections ?? []) {
      onVisit(selection);
      const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
      count += 1 + (isSpread ? inFragment(selection.name.value) : inSelections(selection.selectionSet));
    }
    return count;
  }

  let count = 0;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) count += inSelections(definition.selectionSet);
  }
  return count;
}
