import fc from 'fast-check';
import { execute, type GraphQLField, type GraphQLObjectType, getOperationAST, parse } from 'graphql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compiledQuery } from '../../../src/graphql/compiled/query.ts';
import { compileSelection } from '../../../src/graphql/compiled/selection.ts';
import { createContext } from '../../../src/graphql/context.ts';
import { schema } from '../../../src/graphql/schema.ts';
import type { GrantEvent } from '../../../src/graphql/subscriptions/grant-events.ts';
import { isOfTheEventItself } from '../../../src/graphql/subscriptions/viewer-independent-fields.ts';
import { createDatabaseClock } from '../../../src/platform/clock.ts';
import { openDatabase } from '../../../src/platform/database.ts';
import { newId } from '../../../src/platform/ids.ts';
import { noSource } from '../../../src/platform/request-source.ts';
import { grantEvent } from '../../events/events.ts';
import { silent } from '../../events/gateway.ts';

// Nothing listens there: any read from the database would fail.
const database = openDatabase({ url: 'postgres://127.0.0.1:1/nowhere', logger: silent });
const services = {
  database,
  clock: createDatabaseClock(new Date()),
  logger: silent,
  announce: () => undefined,
};
const viewer = { kind: 'SUPPORT_ENGINEER' as const, id: newId(), email: 'erin@vendor.example', name: 'Erin' };
const context = createContext(Object.create(services), {
  viewer,
  ...{
    operation: { signal: new AbortController().signal, isOver: false, source: noSource },
    answerBy: Number.POSITIVE_INFINITY,
  },
});

function compile(text: string) {
  const document = parse(text);
  const operation = getOperationAST(document);
  if (operation == null) throw new Error('There is no operation');
  return { document, compiled: compileSelection(schema, document, operation, isOfTheEventItself) };
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
const eventSelection = fc
  .tuple(
    leaf(['id', 'cursor', 'next: cursor', 'type', 'occurredAt', 'openGrants', '__typename']),
    fc.option(grant),
  )
  .map(([fields, of]) => (of === null ? fields : `${fields} grant { ${of} }`));
const fields = fc.record({
  as: fc.constantFrom('what happened' as const, 'the present state' as const, 'a mark' as const),
  type: fc.constantFrom('REQUESTED', 'ACTIVATED', 'REVOKED') as fc.Arbitrary<'REQUESTED'>,
  justification: fc.option(fc.string({ unit: 'binary' })),
  expiresAt: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })),
  path: fc.option(fc.constantFrom('SUPPORT_PORTAL' as const, 'ADMIN_CONSOLE' as const)),
  conversationIds: fc.array(fc.string()),
});

test('a compiled selection returns what graphql returns, whatever plain fields are selected', () => {
  fc.assert(
    fc.property(eventSelection, fields, fc.boolean(), (selection, { type, as, ...given }, inFragment) => {
      const { document, compiled } = compile(
        inFragment
          ? `subscription { event: grantEvents { ...Fields } } fragment Fields on GrantEvent { ${selection} }`
          : `subscription { grantEvents(after: "x") { ${selection} } }`,
      );
      const happened = grantEvent({ type });
      const { id, occurredAt } = happened;
      const content = { grant: { ...happened.grant, ...given } };
      const event: GrantEvent = {
        'what happened': { ...happened, ...content },
        'the present state': { id, type: 'CURRENT' as const, occurredAt, content },
        'a mark': { id, type: 'CURRENT_COMPLETE' as const, occurredAt, stateSize: 7 },
      }[as];
      const delivery = { event, cursor: 'here' };
      const answered = compiled?.(delivery, context);
      const expected = execute({ schema, document, rootValue: delivery, contextValue: context });
      expect(expected).not.toBeInstanceOf(Promise);
      expect({ data: answered }).toEqual(JSON.parse(JSON.stringify(expected), (_, value) => value));
    }),
    { numRuns: 500 },
  );
});

describe('a selection is left to graphql', () => {
  test.each([
    ['with a field that is read from the database', '{ grantEvents { grant { engineer { name } } } }'],
    ['with a directive on a field', '{ grantEvents { id @include(if: true) } }'],
    ['with a directive on a fragment', '{ grantEvents { ... @skip(if: true) { id } } }'],
    ['with a field selected twice', '{ grantEvents { grant { id } grant { state } } }'],
    [
      'with a field that takes arguments',
      '{ grantEvents { grant { ticket { grants(first: 1) { edges { cursor } } } } } }',
    ],
  ])('%s', (_where, text) => {
    expect(compile(`subscription ${text}`).compiled).toBeNull();
  });

  test.each([
    ['a non-null field is null', { ...grantEvent(), occurredAt: null }],
    ['a value does not fit its type', { ...grantEvent(), occurredAt: 'yesterday or so' }],
    ['a value is a promise', { ...grantEvent(), occurredAt: Promise.resolve(new Date()) }],
  ])('when %s', (_what, event) => {
    expect(
      compile('subscription { grantEvents { occurredAt } }').compiled?.({ event, cursor: '' }, context),
    ).toBeUndefined();
  });
});

test('a query with a relation that has scopes of its own is left to `execute`, which checks them', () => {
  const fields = (schema.getType('Grant') as GraphQLObjectType).getFields();
  const ticket = fields['ticket'] as GraphQLField<unknown, unknown>;
  const compiled = () =>
    compiledQuery(schema, parse('{ grants { edges { node { state ticket { key } } } } }'), null);
  expect(compiled()).not.toBeNull();
  const { extensions } = ticket;
  onTestFinished(() => {
    ticket.extensions = extensions;
  });
  const options = { ...(extensions['pothosOptions'] as object), authScopes: { operation: 'tickets' } };
  ticket.extensions = { ...extensions, pothosOptions: options };
  expect(compiled()).toBeNull();
});
