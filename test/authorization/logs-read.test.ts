import { expect, test } from 'vitest';
import { logsRead, showsAsked } from '../../src/authorization/logs-read.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import { vendorOrganizationId as vendor } from '../../src/roles/vendor-organization.ts';

const someone = { id: 'id', email: 'ada@example.org', name: 'Ada' };
const user: Viewer = {
  ...{ ...someone, kind: 'USER', organizationIds: ['acme', 'globex'] },
  assignments: [
    {
      role: 'GUARD_ADMIN',
      organizationId: 'globex',
      siteId: 'a site',
      productId: null,
      syncState: 'SYNCED',
    } as never,
  ],
};
const ofVendor: Viewer[] = [
  { ...someone, kind: 'OPERATOR' },
  { ...someone, kind: 'COMPLIANCE_ANALYST' },
  { ...someone, kind: 'SUPPORT_ENGINEER' },
  { ...someone, kind: 'SERVICE_ACCOUNT', capabilities: [], evaluatedProducts: [], organizationId: null },
];
const shown = [
  { organizationId: 'acme', action: 'grant.approve' },
  { organizationId: 'acme', action: 'audit_entries.search' },
  { organizationId: 'globex', action: 'audit_entries.stream' },
  { organizationId: null, action: 'account.add_operator' },
];

test('a customer’s reader has read the logs in which they have looked, whatever was found', () => {
  const places = [
    { organizationId: 'acme' },
    { organizationId: 'acme', siteId: 'other' },
    { siteId: 'a site' },
  ];
  expect(logsRead(user, places, [])).toEqual(['acme', 'globex']);
  expect(logsRead(user, [], shown)).toEqual([]);
});

test('the vendor’s people have read their own, and those of which they were shown more than readings', () => {
  for (const viewer of ofVendor) expect(logsRead(viewer, [{}], shown)).toEqual([vendor, 'acme']);
});

test('what was asked for is known only to whom it cannot tell of another log', () => {
  expect(showsAsked(user, 'acme', ['acme'])).toBe(true);
  expect(showsAsked(user, 'acme', ['acme', 'globex'])).toBe(false);
  for (const viewer of ofVendor) {
    expect(showsAsked(viewer, vendor, [vendor, 'acme'])).toBe(true);
    expect(showsAsked(viewer, 'acme', [vendor, 'acme'])).toBe(false);
  }
});
