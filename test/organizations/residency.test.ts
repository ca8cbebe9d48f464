import { describe, expect, test } from 'vitest';
import { anywhere, mayActFrom, mayProcessIn } from '../../src/organizations/residency.ts';

const site = { dataResidencyRegion: 'EU', dataResidencyPinned: false, engineerCountries: [] as string[] };
const vendor = { processingRegions: ['US', 'APAC'], engineerCountries: ['DE', 'IE', 'PL'] };

describe('the data of a site', () => {
  test.each([
    ["stays in the site's region", true, 'EU', { pinned: true, vendor }],
    [
      'stays there also where the vendor has no regions of its own',
      true,
      'EU',
      { pinned: true, vendor: anywhere },
    ],
    ['goes nowhere else from a pinned site', false, 'US', { pinned: true, vendor }],
    [
      'goes nowhere else from a pinned site of a vendor of any region',
      false,
      'US',
      { pinned: true, vendor: anywhere },
    ],
    ["goes to the vendor's regions from a site that is not pinned", true, 'US', { pinned: false, vendor }],
    ["is in the site's own region in any case", true, 'EU', { pinned: false, vendor }],
    ["goes to no other region than the vendor's", false, 'BR', { pinned: false, vendor }],
    [
      'goes anywhere where neither the site nor the vendor says where',
      true,
      'BR',
      { pinned: false, vendor: anywhere },
    ],
    ['goes to regions by their exact name', false, 'us', { pinned: false, vendor }],
  ] as const)('%s', (_rule, expected, region, { pinned, vendor }) => {
    expect(mayProcessIn(region, { ...site, dataResidencyPinned: pinned }, vendor)).toBe(expected);
  });
});

describe('an engineer acts', () => {
  test.each([
    ["from the vendor's countries where the site names none", true, 'DE', [], vendor],
    ["from no other country than the vendor's", false, 'FR', [], vendor],
    ["from the site's countries", true, 'IE', ['IE'], vendor],
    ["from no country that is only the vendor's", false, 'DE', ['IE'], vendor],
    ["from no country that is only the site's", false, 'FR', ['FR', 'IE'], vendor],
    ["from the site's countries where the vendor names none", true, 'FR', ['FR'], anywhere],
    ["from no other country than the site's where the vendor names none", false, 'IE', ['FR'], anywhere],
    ['from anywhere where neither says from where', true, 'FR', [], anywhere],
  ] as const)('%s', (_rule, expected, country, engineerCountries, of) => {
    expect(mayActFrom(country, { ...site, engineerCountries }, of)).toBe(expected);
  });
});
