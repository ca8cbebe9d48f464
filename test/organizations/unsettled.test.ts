/** What has ended with a site or a licence, before that is written. */
import { describe, expect, test } from 'vitest';
import { createUnsettledSites, endOfPlace } from '../../src/organizations/unsettled.ts';
import { fromNow } from '../support/builders.ts';

const inUse = { unsettledSince: null, unsettledById: null };
const endedAt = (ms: number, by: string) => ({ unsettledSince: fromNow(ms), unsettledById: by });

describe('the end of a place', () => {
  test.each([
    ['nothing has ended', inUse, inUse, null],
    [
      'the site has',
      endedAt(5, 'olga'),
      inUse,
      { reason: 'SITE_DEACTIVATED', since: fromNow(5), byId: 'olga' },
    ],
    [
      'the licence has',
      inUse,
      endedAt(5, 'olga'),
      { reason: 'PRODUCT_UNLICENSED', since: fromNow(5), byId: 'olga' },
    ],
    [
      'the licence has, and then the site',
      endedAt(7, 'otto'),
      endedAt(5, 'olga'),
      { reason: 'PRODUCT_UNLICENSED', since: fromNow(5), byId: 'olga' },
    ],
    [
      'the site has, and then the licence',
      endedAt(5, 'olga'),
      endedAt(7, 'otto'),
      { reason: 'SITE_DEACTIVATED', since: fromNow(5), byId: 'olga' },
    ],
  ])('%s', (_, site, product, end) => {
    expect(endOfPlace({ site, product })).toEqual(end);
  });
});

test('a site is looked at from when it was read, and others are not', () => {
  const sites = createUnsettledSites();
  expect(sites.list()).toEqual([]);
  sites.note(['site']);
  sites.note([]);
  expect(sites.has('site')).toBe(true);
  expect(sites.has('other')).toBe(false);
  expect(sites.list()).toEqual(['site']);
});
