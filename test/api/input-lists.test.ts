/** Every list in an input has a maximum, which its description states and the gateway enforces. */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
  isRequiredInputField,
} from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { listen } from '../support/listen.ts';
import { globalId } from '../support/rows.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

type Input = GraphQLArgument | GraphQLInputField;
/** A list, and the way to it: a field of a root type, its argument, and fields of input objects. */
type List = { path: string; root: string; field: GraphQLField<unknown, unknown>; inputs: readonly Input[] };

const isList = ({ type }: Input) => isListType(getNullableType(type));
const roots = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' };

function listsOf(root: string, field: GraphQLField<unknown, unknown>): List[] {
  const within = (inputs: readonly Input[]): List[] => {
    const input = inputs.at(-1);
    if (input === undefined) return [];
    const own = { path: [field.name, ...inputs.map(({ name }) => name)].join('.'), root, field, inputs };
    const type = getNamedType(input.type);
    const nested = isInputObjectType(type) ? Object.values(type.getFields()) : [];
    return [...(isList(input) ? [own] : []), ...nested.flatMap((part) => within([...inputs, part]))];
  };
  return field.args.flatMap((argument) => within([argument]));
}

const fieldsOf = (typeName: string) => {
  const type = schema.getType(typeName);
  return isObjectType(type) ? Object.values(type.getFields()) : [];
};
const lists = Object.entries(roots).flatMap(([root, typeName]) =>
  fieldsOf(typeName).flatMap((field) => listsOf(root, field)),
);

/** The maximum that the description states. */
function maximumOf({ inputs }: List): number {
  return Number(/(?:at most|1 to) (\d+)/.exec(inputs.at(-1)?.description ?? '')?.[1]);
}

/** A valid value for an item of the list, or for a required input. */
function valueFor({ name, type }: Input): unknown {
  const named = getNamedType(type);
  if (isEnumType(named)) return named.getValues()[0]?.name;
  if (isInputObjectType(named)) return requiredOf(Object.values(named.getFields()));
  if (named.name === 'Int') return 600;
  if (named.name === 'Boolean') return false;
  if (name === 'email') return 'somebody@vendor.example';
  if (name === 'evaluatedProducts') return 'jira';
  if (name === 'engineerCountries') return 'DE';
  const [, entity = 'grant'] = /^(.*)Ids?$/.exec(name) ?? [];
  return named.name === 'ID'
    ? globalId(`${entity.charAt(0).toUpperCase()}${entity.slice(1)}`, newId())
    : newId();
}

function requiredOf(fields: readonly GraphQLInputField[]): Record<string, unknown> {
  const required = fields.filter(isRequiredInputField);
  return Object.fromEntries(
    required.map((input) => [input.name, isList(input) ? [valueFor(input)] : valueFor(input)]),
  );
}

/** The value of an input in which the last of these inputs is a list of this length. */
function valueWithList([input, ...within]: readonly Input[], length: number): unknown {
  const [next] = within;
  if (input === undefined) throw new Error('There is no list');
  if (next === undefined) return Array.from({ length }, () => valueFor(input));
  return { ...(valueFor(input) as object), [next.name]: valueWithList(within, length) };
}

let gateway: TestGateway;
let world: World;
let engineer: Person;
beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
  engineer = await gateway.as(world.engineer.email);
});
afterAll(() => gateway.dispose());

/** What the gateway answers to a list of this length. */
async function answerTo({ field, root, inputs }: List, length: number): Promise<string> {
  const [argument] = inputs;
  const selection = root === 'mutation' ? '{ __typename ... on Error { code message } }' : '{ __typename }';
  const others = field.args.some(({ name }) => name === 'groupBy') && argument?.name !== 'groupBy';
  const given = `${argument?.name}: $value${others ? ', groupBy: [DAY]' : ''}`;
  const query = `${root} ($value: ${argument?.type}) { ${field.name}(${given}) ${selection} }`;
  const variables = { value: valueWithList(inputs, length) };
  if (root === 'subscription') return (await listen(gateway, engineer, query, variables)).until(() => true);
  return JSON.stringify(await world.operator.send(query, variables));
}

test('the lists among the arguments of other fields are those of inputs that a root field takes, too', () => {
  const others = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !Object.values(roots).includes(type.name))
    .flatMap(({ name }) => fieldsOf(name).flatMap((field) => listsOf(name, field)));
  const known = new Set(lists.map(({ inputs }) => inputs.at(-1)));
  expect(others.filter(({ inputs }) => !known.has(inputs.at(-1))).map(({ path }) => path)).toEqual([]);
  expect(lists.map(({ path }) => path)).toContain('grantEvents.filter.types');
});

test.each(lists.map((list) => [list.path, list] as const))('%s', async (_path, list) => {
  const maximum = maximumOf(list);
  expect(maximum, 'the maximum in the description').toBeGreaterThan(0);
  const refusal = `at most ${maximum} `;
  const answer = await answerTo(list, maximum + 1);
  expect(answer).toContain(refusal);
  expect(answer).toMatch(/"code":"(BAD_USER_INPUT|INVALID_INPUT)"/);
  expect(await answerTo(list, maximum)).not.toContain(refusal);
});

test('a cursor is valid for the same types in any order and number', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const query = `subscription ($types: [GrantEventType!], $after: String) {
    grantEvents(filter: { types: $types }, after: $after, withCurrentState: true) { type cursor } }`;
  const socket = engineer.socket();
  const first = socket.iterate<Json>({
    query,
    variables: { types: ['CURRENT', 'ACTIVATED', 'CURRENT'] },
  });
  const { cursor } = (await first.next()).value?.data?.grantEvents ?? {};
  await first.return?.();
  const resumed = socket.iterate<Json>({
    query,
    variables: { types: ['ACTIVATED', 'CURRENT'], after: cursor },
  });
  const next = resumed.next();
  await done(await gateway.as(world.acme.emails.organizationAdmin), 'approveDataAccess', { ticketId });
  expect((await next).value?.errors).toBeUndefined();
  await resumed.return?.();
});
