/** Fragments that spread others several times, so that a short document expands to billions of selections. */
import { parse, visit } from 'graphql';
import { describe, expect, test } from 'vitest';
import { countComparedFields, countExpandedSelections } from '../../src/http/engine/expanded-document.ts';
import { multiplied, shapes } from './multiplying-documents.ts';

/** The number of selections in the text, each counted once: what a linear walk visits. */
function selectionsInText(text: string): number {
  let count = 0;
  const note = () => {
    count += 1;
  };
  visit(parse(text), { Field: note, InlineFragment: note, FragmentSpread: note });
  return count;
}

function count(text: string): { counted: number; visited: number } {
  let visited = 0;
  const counted = countExpandedSelections(parse(text), () => {
    visited += 1;
  });
  return { counted, visited };
}

test('counts a document without fragments as it is', () => {
  expect(count('{ a b { c } ... { d } }')).toStrictEqual({ counted: 5, visited: 5 });
});

test('counts a fragment wherever it is spread, and all operations', () => {
  const text = 'query A { ...F } query B { a { ...F } ...F } fragment F on T { b c }';
  expect(count(text).counted).toBe(3 + 4 + 3);
});

test('counts no fragment that is unknown, and one that no operation spreads once', () => {
  expect(count('{ ...Unknown }').counted).toBe(1);
  expect(count('fragment A on T { a ...B } fragment B on T { b } { c }').counted).toBe(4);
});

test.each([
  '{ ...F } fragment F on T { a ...G } fragment G on T { b ...F }',
  '{ a } fragment F on T { a { ...F } }',
])('a fragment that spreads itself counts as infinitely many: %s', (text) => {
  expect(count(text)).toStrictEqual({ counted: Number.POSITIVE_INFINITY, visited: selectionsInText(text) });
});

test.each([
  ['fields of one name, once for each pair', '{ a a a b }', 3],
  ['by the names in the result', '{ a: x a: x b: x x }', 1],
  ['what they select, together', '{ a { x y } a { x } a { x } }', 3 + 3],
  ['wherever fragments select them', '{ a ...F ... { a } } fragment F on T { a }', 3],
  ['a fragment once at one place', '{ ...F ...F a { ...F } } fragment F on T { x }', 0],
  ['a fragment at each place', '{ b { ...F } c { ...F } } fragment F on T { x x }', 2],
  ['a fragment that no operation spreads', '{ a } fragment F on T { x x ...G } fragment G on T { x }', 3],
])('compares %s', (_case, text, pairs) => {
  expect(countComparedFields(parse(text))).toBe(pairs);
});

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  test.each([10, 20, 30, 40])('%i times: each selection is visited once', (times) => {
    const text = multiplied(shape, times);
    const { counted, visited } = count(text);
    expect(counted).toBeGreaterThan(2 ** times);
    expect(visited).toBe(selectionsInText(text));
  });
});
