import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { expect, test } from 'vitest';
import { operations } from '../../src/authorization/operations.ts';
import { schema } from '../../src/graphql/schema.ts';
import { failedAudits } from '../http/server-audit.ts';
import { startGateway } from '../support/gateway.ts';

const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));

type Part = [path: string, description: string | null | undefined];

/** Every part of a type that can have a description, by its path. */
function parts(type: GraphQLNamedType): Part[] {
  const own: Part = [type.name, type.description];
  if (isObjectType(type) || isInterfaceType(type)) {
    return [
      own,
      ...Object.values(type.getFields()).flatMap((field): Part[] => [
        [`${type.name}.${field.name}`, field.description],
        ...field.args.map(
          (argument): Part => [`${type.name}.${field.name}(${argument.name})`, argument.description],
        ),
      ]),
    ];
  }
  if (isInputObjectType(type)) {
    return [
      own,
      ...Object.values(type.getFields()).map(
        (field): Part => [`${type.name}.${field.name}`, field.description],
      ),
    ];
  }
  if (isEnumType(type)) {
    return [own, ...type.getValues().map((value): Part => [`${type.name}.${value.name}`, value.description])];
  }
  return [own];
}

test('every type, field, argument and value says what it is', () => {
  const silent = types.flatMap(parts).filter(([, description]) => !description);
  expect(silent.map(([path]) => path)).toEqual([]);
});

test('names keep to the conventions', () => {
  const odd = types.flatMap((type) => {
    const isOdd =
      !/^[A-Z][A-Za-z]+$/.test(type.name) ||
      (isInputObjectType(type) && !/(Input|Filter)$/.test(type.name)) ||
      (isUnionType(type) && !type.name.endsWith('Result')) ||
      (isObjectType(type) && /(Input|Filter|Type)$/.test(type.name));
    const named = isEnumType(type)
      ? type.getValues().filter(({ name }) => !/^[A-Z]+(_[A-Z]+)*$/.test(name))
      : 'getFields' in type
        ? Object.values(type.getFields()).filter(({ name }) => !/^[a-z][A-Za-z]*$/.test(name))
        : [];
    return [...(isOdd ? [type.name] : []), ...named.map(({ name }) => `${type.name}.${name}`)];
  });
  expect(odd).toEqual([]);
});

test('every mutation takes one input, and returns a union of its own with InvalidInputError', () => {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const capitalized = field.name.charAt(0).toUpperCase() + field.name.slice(1);
    expect(
      field.args.map(({ name, type }) => `${name}: ${type}`),
      field.name,
    ).toEqual([`input: ${capitalized}Input!`]);
    expect(`${field.type}`).toBe(`${capitalized}Result!`);
    const result = schema.getType(`${capitalized}Result`);
    const members = isUnionType(result) ? result.getTypes().map(({ name }) => name) : [];
    expect(members, field.name).toContain('InvalidInputError');
  }
});

test('the authorization table has a row for every operation, and no other', () => {
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  const served = Object.entries(roots).flatMap(([kind, type]) =>
    Object.keys(type?.getFields() ?? {}).map((name) => `${kind} ${name}`),
  );
  const inTable = Object.entries(operations)
    .filter(([, { kind }]) => kind !== 'http')
    .map(([name, { kind }]) => `${kind} ${name}`);
  expect(inTable.sort()).toEqual(served.sort());
});

test('the gateway keeps the whole GraphQL over HTTP specification', async () => {
  await using gateway = await startGateway();
  const { token } = await gateway.as('operator@vendor.example');
  expect(await failedAudits(`${gateway.url}/graphql`, { authorization: `Bearer ${token}` })).toEqual([]);
});
