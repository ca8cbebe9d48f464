/** Fragments that spread others several times, so that a short document expands to billions of selections. */
import { parse, visit } from 'graphql';
import { describe, expect, test } from 'vitest';
import { countExpandedSelections } from '../../src/http/engine/expanded-document.ts';
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

test('counts no fragment that is unknown, not used, or part of itself', () => {
  expect(count('{ ...Unknown } fragment Unused on T { a }').counted).toBe(1);
  expect(count('{ ...F } fragment F on T { a ...G } fragment G on T { b ...F }').counted).toBe(5);
});

describe.each(Object.entries(shapes))('%s', (_name, shape) => {
  test.each([10, 20, 30, 40])('%i times: each selection is visited once', (times) => {
    const text = multiplied(shape, times);
    const { counted, visited } = count(text);
    expect(counted).toBeGreaterThan(2 ** times);
    expect(visited).toBe(selectionsInText(text));
  });
});
