import {
  type DefinitionNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** The fragments of a document by their names. */
export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
}

/**
 * Counts the selections of a document as if each fragment stood where it is spread: those of all operations, and of
 * fragments that no operation spreads. Fragments that spread others several times multiply: a document of 1 KB can expand
 * to billions. Each fragment is visited once.
 *
 * Infinity if a fragment spreads itself, directly or through others.
 */
export function countExpandedSelections(
  document: DocumentNode,
  /** Called for each selection that is visited. */
  onVisit: (selection: SelectionNode) => void = () => undefined,
): number {
  const fragments = fragmentsOf(document);
  const counts = new Map<string, number>();

  function inFragment(name: string): number {
    const known = counts.get(name);
    if (known !== undefined) return known;
    counts.set(name, Number.POSITIVE_INFINITY);
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
  for (const definition of operationsFirst(document)) {
    if (definition.kind === Kind.OPERATION_DEFINITION) count += inSelections(definition.selectionSet);
    else if (definition.kind === Kind.FRAGMENT_DEFINITION && !counts.has(definition.name.value))
      count += inFragment(definition.name.value);
  }
  return count;
}

/**
 * Counts the pairs of fields that validation compares to see whether they can be merged: those with one name at one place
 * of the result. Their number grows with the square of the document. Visits as many selections as
 * {@link countExpandedSelections} returns, which has to be within a limit.
 */
export function countComparedFields(document: DocumentNode): number {
  const fragments = fragmentsOf(document);
  const reached = new Set<string>();
  let pairs = 0;

  /** Adds the fields of one place by their names in the result. A fragment adds them once, as in validation. */
  function collect(set: SelectionSetNode, into: Map<string, FieldNode[]>, spread: Set<string>): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value;
        const others = into.get(name);
        if (others === undefined) into.set(name, [selection]);
        else others.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet, into, spread);
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        reached.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) collect(fragment.selectionSet, into, spread);
      }
    }
  }

  function compare(sets: readonly SelectionSetNode[]): void {
    const fields = new Map<string, FieldNode[]>();
    const spread = new Set<string>();
    for (const set of sets) collect(set, fields, spread);
    for (const equal of fields.values()) {
      pairs += (equal.length * (equal.length - 1)) / 2;
      const within = equal.flatMap(({ selectionSet }) => selectionSet ?? []);
      if (within.length > 0) compare(within);
    }
  }

  for (const definition of operationsFirst(document)) {
    if (definition.kind === Kind.OPERATION_DEFINITION) compare([definition.selectionSet]);
    else if (definition.kind === Kind.FRAGMENT_DEFINITION && !reached.has(definition.name.value)) {
      reached.add(definition.name.value);
      compare([definition.selectionSet]);
    }
  }
  return pairs;
}

/** So that only fragments which no operation spreads count as documents of their own. */
function operationsFirst({ definitions }: DocumentNode): DefinitionNode[] {
  return definitions.toSorted((a, b) => order(a) - order(b));
}

function order({ kind }: DefinitionNode): number {
  return kind === Kind.OPERATION_DEFINITION ? 0 : 1;
}
