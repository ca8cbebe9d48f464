import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { mayEndAccess } from '../../src/authorization/ends-access.ts';
import { laneOf } from '../../src/http/admission/lane-of.ts';

test.each([
  ['mutation { revokeDataAccess { id } }', 'ENDING'],
  ['mutation { a: revokeDataAccess { id } b: closeTicket { id } }', 'ENDING'],
  ['mutation { ...A } fragment A on Mutation { ... { removeRole { id } } }', 'ENDING'],
  ['mutation { ...A ...A } fragment A on Mutation { endSupportSession { id } }', 'ENDING'],
  ['mutation { revokeDataAccess { id } approveDataAccess { id } }', 'ORDINARY'],
  ['mutation { ...A } fragment A on Mutation { approveDataAccess { id } }', 'ORDINARY'],
  ['mutation { revokeDataAccess: approveDataAccess { id } }', 'ORDINARY'],
  ['query { revokeDataAccess { id } }', 'ORDINARY'],
  ['# revokeDataAccess\n{ sites { id } }', 'ORDINARY'],
  ['mutation A { revokeDataAccess { id } } query B { sites { id } }', 'ORDINARY'],
])('%s: %s', (document, lane) => {
  expect(laneOf(parse(document), null)).toBe(lane);
});

test('the operation that is named counts', () => {
  const document = parse('mutation A { revokeDataAccess { id } } mutation B { approveDataAccess { id } }');
  expect([laneOf(document, 'A'), laneOf(document, 'B')]).toEqual(['ENDING', 'ORDINARY']);
});

test('whether a document may end access shows in its text', () => {
  expect(mayEndAccess('mutation { denyGuardRequestInBulk(input: $i) { id } }')).toBe(true);
  expect(mayEndAccess('mutation { approveDataAccess(input: $i) { id } }')).toBe(false);
  expect(mayEndAccess('{ revokeDataAccessOften }')).toBe(false);
});
