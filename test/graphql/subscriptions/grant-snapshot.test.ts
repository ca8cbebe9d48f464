import { type GraphQLResolveInfo, getNamedType, isObjectType, Kind, parse } from 'graphql';
import { expect, test } from 'vitest';
import type { Context } from '../../../src/graphql/context.ts';
import { schema } from '../../../src/graphql/schema.ts';
import { grantSnapshot } from '../../../src/graphql/subscriptions/grant-snapshot.ts';
import { grantEvent } from '../../events/events.ts';

/** The resolve info of `grant` for a selection in which each fragment spreads the next one twice. */
function infoOf(times: number, onFragment: () => void): GraphQLResolveInfo {
  const fragments = Array.from(
    { length: times },
    (_, at) => `fragment F${at} on Grant { ...F${at + 1} ... { ...F${at + 1} } }`,
  );
  const { definitions } = parse(
    `{ grant { ...F0 } } ${fragments.join(' ')} fragment F${times} on Grant { id }`,
  );
  const byName = Object.fromEntries(
    definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const [operation] = definitions;
  const event = schema.getType('GrantEvent');
  if (operation?.kind !== Kind.OPERATION_DEFINITION || !isObjectType(event)) throw new Error('unexpected');
  return {
    fieldNodes: operation.selectionSet.selections,
    fragments: new Proxy(byName, {
      get(target, name: string) {
        onFragment();
        return target[name];
      },
    }),
    returnType: getNamedType(event.getFields()['grant']?.type),
  } as unknown as GraphQLResolveInfo;
}

test.each([10, 20, 30, 40])(
  '%i fragments that each spread the next one twice are read once for each spread',
  (times) => {
    let read = 0;
    const info = infoOf(times, () => {
      read += 1;
    });
    const { grant } = grantEvent();
    // Nothing is read from the database, so there is none.
    expect(grantSnapshot(grant, { occurredAt: new Date() }, {} as Context, info)).toMatchObject({
      id: grant.id,
    });
    expect(read).toBeLessThanOrEqual(2 * times + 1);
  },
);
