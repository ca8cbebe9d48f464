import fc from 'fast-check';
import { execute, getOperationAST, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { createContext } from '../../../src/graphql/context.ts';
import { schema } from '../../../src/graphql/schema.ts';
import { straightLineOf } from '../../../src/graphql/subscriptions/compiled-selection.ts';
import { isOfTheEventItself } from '../../../src/graphql/subscriptions/viewer-independent-fields.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { openDatabase } from '../../../src/platform/database.ts';
import { newId } from '../../../src/platform/ids.ts';
import { grantEvent } from '../../events/events.ts';
import { silent } from '../../events/gateway.ts';

// Nothing listens there: whoever would read from the database fails.
const database = openDatabase({ url: 'postgres://127.0.0.1:1/nowhere', logger: silent });
const services = { database, clock: systemClock, logger: silent, wake: () => undefined };
const viewer = { kind: 'SUPPORT_ENGINEER' as const, id: newId(), email: 'erin@vendor.example', name: 'Erin' };
const context = createContext(Object.create(services), { viewer, hasToken: true });

function lineOf(text: string) {
  const document = parse(text);
  const operation = getOperationAST(document);
  if (operation == null) throw new Error('There is no operation');
  return { document, line: straightLineOf(schema, document, operation, isOfTheEventItself) };
}

const leaf = (names: readonly string[]) =>
  fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }).map((chosen) => chosen.join(' '));
const scope = leaf(['kind', 'conversationIds', '__typename', 'opens: kind']);
const grant = fc
  .tuple(
    leaf([
      ...['id', '__typename', 'state', 'path', 'justification', 'version', 'was: version', 'requestedAt'],
      ...['approvalDueAt', 'activatedAt', 'expiresAt', 'endedAt', 'endReason'],
    ]),
    fc.option(scope),
  )
  .map(([fields, of]) => (of === null ? fields : `${fields} ... on Grant { scope { ${of} } }`));
const event = fc
  .tuple(leaf(['id', 'cursor', 'next: cursor', 'type', 'occurredAt', '__typename']), fc.option(grant))
  .map(([fields, of]) => (of === null ? fields : `${fields} grant { ${of} }`));
const facts = fc.record({
  type: fc.constantFrom('REQUESTED', 'ACTIVATED', 'REVOKED') as fc.Arbitrary<'REQUESTED'>,
  justification: fc.option(fc.string({ unit: 'binary' })),
  expiresAt: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })),
  path: fc.option(fc.constantFrom('SUPPORT_PORTAL' as const, 'ADMIN_CONSOLE' as const)),
  conversationIds: fc.array(fc.string()),
});

test('a straight line answers what graphql answers, whatever plain fields are selected', () => {
  fc.assert(
    fc.property(event, facts, fc.boolean(), (selection, { type, ...given }, inFragment) => {
      const { document, line } = lineOf(
        inFragment
          ? `subscription { told: grantEvents { ...Told } } fragment Told on GrantEvent { ${selection} }`
          : `subscription { grantEvents(after: "x") { ${selection} } }`,
      );
      const of = grantEvent({ type });
      const told = { of: { ...of, grant: { ...of.grant, ...given } }, cursor: 'here' };
      const answered = line?.(told, context);
      const expected = execute({ schema, document, rootValue: told, contextValue: context });
      expect(expected).not.toBeInstanceOf(Promise);
      expect({ data: answered }).toEqual(JSON.parse(JSON.stringify(expected), (_, value) => value));
    }),
    { numRuns: 500 },
  );
});

describe('it is left to graphql', () => {
  test.each([
    ['where anything is read from the database', '{ grantEvents { grant { engineer { name } } } }'],
    ['where a directive decides', '{ grantEvents { id @include(if: true) } }'],
    ['where a directive decides on a fragment', '{ grantEvents { ... @skip(if: true) { id } } }'],
    ['where a field is selected twice', '{ grantEvents { grant { id } grant { state } } }'],
    [
      'where a field takes arguments',
      '{ grantEvents { grant { ticket { grants(first: 1) { edges { cursor } } } } } }',
    ],
  ])('%s', (_where, text) => {
    expect(lineOf(`subscription ${text}`).line).toBeNull();
  });

  test.each([
    ['what may not be null is', { ...grantEvent(), occurredAt: null }],
    ['a value is none of its type', { ...grantEvent(), occurredAt: 'yesterday or so' }],
    ['a value is still to come', { ...grantEvent(), occurredAt: Promise.resolve(new Date()) }],
  ])('when %s', (_what, of) => {
    expect(
      lineOf('subscription { grantEvents { occurredAt } }').line?.({ of, cursor: '' }, context),
    ).toBeUndefined();
  });
});
