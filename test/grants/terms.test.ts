/** The terms of a request: those of its opening, or its site's present ones where they are tighter. */
import { describe, expect, test } from 'vitest';
import { asOf } from '../../src/grants/as-of.ts';
import { type GrantRow, termsOfRow, toGrant, toRow } from '../../src/grants/row.ts';
import { effectiveTerms, termsOf } from '../../src/grants/terms.ts';
import { active, NOW, overOnceActive, pendingApproval, terms, ticket } from '../support/builders.ts';

describe('the terms by which a request is decided', () => {
  test.each([
    [false, false, false],
    [false, true, true],
    [true, false, true],
    [true, true, true],
  ])('need the Guard if either do: opened %s, now %s', (opening, present, effective) => {
    expect(
      effectiveTerms(terms({ guardRequired: opening }), terms({ guardRequired: present })),
    ).toStrictEqual(terms({ guardRequired: effective }));
  });

  test.each([
    [null, null, null],
    [null, 60, 60],
    [60, null, 60],
    [60, 3600, 60],
    [3600, 60, 60],
  ])('have the shorter limit: opened %s, now %s', (opening, present, effective) => {
    expect(
      effectiveTerms(terms({ maxGrantSeconds: opening }), terms({ maxGrantSeconds: present })),
    ).toStrictEqual(terms({ maxGrantSeconds: effective }));
  });

  test.each([
    [false, false, false],
    [false, true, false],
    [true, false, false],
    [true, true, true],
  ])('let one person approve twice if both do: opened %s, now %s', (opening, present, effective) => {
    expect(
      effectiveTerms(
        terms({ samePersonMayApproveTwice: opening }),
        terms({ samePersonMayApproveTwice: present }),
      ),
    ).toStrictEqual(terms({ samePersonMayApproveTwice: effective }));
  });
});

test('a site sets the terms of the requests that are opened on it', () => {
  const { site } = ticket({ site: { supportAccessRestricted: true, maxGrantSeconds: 60 } });
  expect(termsOf(site)).toStrictEqual(terms({ guardRequired: true, maxGrantSeconds: 60 }));
});

describe('the row of a grant', () => {
  const kept = terms({ guardRequired: true, maxGrantSeconds: 60, samePersonMayApproveTwice: true });
  /** As an earlier version wrote it into an event or an answer. */
  const withoutTerms = (row: GrantRow): GrantRow => {
    const { guardRequired: _, maxGrantSeconds: _max, samePersonMayApproveTwice: _same, ...earlier } = row;
    return earlier as GrantRow;
  };

  test.each([
    pendingApproval({ terms: kept }),
    active({ terms: kept }),
    overOnceActive({ state: 'ENDED', endReason: 'TIME_ELAPSED' }),
    { ...overOnceActive({ state: 'ENDED', endReason: 'TIME_ELAPSED' }), terms: null },
  ])('has the terms, and becomes the same grant again: $state', (grant) => {
    const row = toRow(grant);
    expect(termsOfRow(row)).toStrictEqual(grant.terms);
    expect(toGrant(row)).toStrictEqual(grant);
  });

  test('of an earlier version has none, and is shown as it is', () => {
    const row = withoutTerms(toRow(active({ expiresAt: NOW })));
    expect(termsOfRow(row)).toBeNull();
    expect(asOf(row, NOW).state).toBe('ENDED');
    expect(toGrant(row)).toMatchObject({ terms: terms({ guardRequired: true }) });
  });
});
