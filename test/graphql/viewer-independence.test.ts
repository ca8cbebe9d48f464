import { type GraphQLField, getNamedType, isAbstractType, isInterfaceType, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { isViewerIndependent } from '../../src/graphql/subscriptions/viewer-independent-fields.ts';

/**
 * Every field that an event can be asked for, by `Type.field`. What is below a field that depends on the viewer is
 * left out: a selection that contains that field is never shared.
 */
function fieldsReachableFrom(typeName: string): Map<string, GraphQLField<unknown, unknown>> {
  const found = new Map<string, GraphQLField<unknown, unknown>>();
  const visited = new Set<string>();
  const visit = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    const type = schema.getType(name);
    if (isAbstractType(type)) for (const possible of schema.getPossibleTypes(type)) visit(possible.name);
    if (!isObjectType(type) && !isInterfaceType(type)) return;
    for (const field of Object.values(type.getFields())) {
      found.set(`${name}.${field.name}`, field);
      if (field.extensions['viewerIndependent'] !== false) visit(getNamedType(field.type).name);
    }
  };
  visit(typeName);
  return found;
}

const reachable = ['GrantEvent', 'SessionEvent', 'ChangeRequestEvent'].flatMap((name) => [
  ...fieldsReachableFrom(name),
]);

test('every field of an event says whether it reads the same for every viewer', () => {
  const paths = reachable.map(([path]) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'GrantEvent.cursor',
      'SessionEvent.cursor',
      'ChangeRequestEvent.cursor',
      'ChangeRequest.description',
      'SupportSession.note',
      'Grant.state',
      'Site.url',
      'Account.email',
    ]),
  );
  const unclassified = reachable.filter(
    ([, { extensions }]) => typeof extensions['viewerIndependent'] !== 'boolean',
  );
  expect(unclassified.map(([path]) => path)).toEqual([]);
});

test('a field that reads the same for every viewer takes no arguments', () => {
  const withArguments = reachable.filter(
    ([, { extensions, args }]) => extensions['viewerIndependent'] === true && args.length > 0,
  );
  expect(withArguments.map(([path]) => path)).toEqual([]);
});

test('a field of an interface reads the same only if it does in every type that implements it', () => {
  for (const type of Object.values(schema.getTypeMap()).filter(isInterfaceType)) {
    for (const { name, extensions } of Object.values(type.getFields())) {
      expect(isViewerIndependent(schema, type, name), `${type.name}.${name}`).toBe(
        extensions['viewerIndependent'] === true,
      );
    }
  }
});
