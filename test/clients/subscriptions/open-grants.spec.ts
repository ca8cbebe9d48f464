import { expect, test } from 'vitest';
import { keepOpenGrants } from './open-grants.ts';

const grant = (id: string, state: string, version: number) => ({ id, state, version });
const mark = (type: string) => ({ type, grant: null });

test('a grant that the current state has no more is dropped', () => {
  const grants = keepOpenGrants();
  grants.apply(mark('STARTED'));
  grants.apply({ type: 'CURRENT', grant: grant('a', 'ACTIVE', 2) });
  grants.apply({ type: 'CURRENT', grant: grant('b', 'PENDING_APPROVAL', 1) });
  grants.apply(mark('CURRENT_COMPLETE'));
  expect(grants.open().map(({ id }) => id)).toEqual(['a', 'b']);

  // The state is cut, and sent again.
  grants.apply(mark('STARTED'));
  grants.apply({ type: 'CURRENT', grant: grant('a', 'ACTIVE', 2) });
  grants.apply(mark('STARTED'));
  grants.apply({ type: 'CURRENT', grant: grant('b', 'ACTIVE', 2) });
  grants.apply(mark('CURRENT_COMPLETE'));
  expect(grants.open()).toEqual([grant('b', 'ACTIVE', 2)]);
});

test('an event that is repeated changes nothing', () => {
  const grants = keepOpenGrants();
  grants.apply({ type: 'ACTIVATED', grant: grant('a', 'ACTIVE', 2) });
  grants.apply({ type: 'REVOKED', grant: grant('a', 'REVOKED', 3) });
  grants.apply({ type: 'ACTIVATED', grant: grant('a', 'ACTIVE', 2) });
  expect(grants.open()).toEqual([]);
});

test('a restored database may have an older version of a grant', () => {
  const grants = keepOpenGrants();
  grants.apply({ type: 'REVOKED', grant: grant('a', 'REVOKED', 3) });
  grants.apply(mark('STARTED'));
  grants.apply({ type: 'CURRENT', grant: grant('a', 'ACTIVE', 2) });
  grants.apply(mark('CURRENT_COMPLETE'));
  expect(grants.open()).toEqual([grant('a', 'ACTIVE', 2)]);
});
