/** What is taken of the headers of a request, which anybody chooses. */
import { expect, test } from 'vitest';
import { requestIdFrom, traceIdFrom, userAgentFrom } from '../../src/platform/request-source.ts';

test.for([
  ['7b5e', '7b5e'],
  ['x'.repeat(200), 'x'.repeat(200)],
  ['x'.repeat(201), null],
  ['two words', null],
  ['', null],
  ['\u00e9', null],
  [undefined, null],
] as const)('%j is the request %j', ([header, id]) => {
  expect(requestIdFrom(header)).toBe(id);
});

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

test.for([
  [`00-${traceId}-00f067aa0ba902b7-01`, traceId],
  [`cc-${traceId}-00f067aa0ba902b7-01-what-comes-later`, traceId],
  [`ff-${traceId}-00f067aa0ba902b7-01`, null],
  [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, null],
  [`00-${traceId}-${'0'.repeat(16)}-01`, null],
  [`00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`, null],
  [`00-${traceId}`, null],
  [undefined, null],
] as const)('%j is of the trace %j', ([header, id]) => {
  expect(traceIdFrom(header)).toBe(id);
});

test.for([
  ['curl/8.5.0', 'curl/8.5.0'],
  ['a\tb\u001b[31m\u0085c\u00e9', 'a?b?[31m?c?'],
  ['x'.repeat(300), 'x'.repeat(256)],
  ['  ', null],
  [undefined, null],
] as const)('%j is the program %j', ([header, name]) => {
  expect(userAgentFrom(header)).toBe(name);
});
