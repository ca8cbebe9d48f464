/** Which viewers may receive an event, and in which topics those events are. */
import { describe, expect, test } from 'vitest';
import { mayReceive, topicsFor } from '../../src/authorization/event-visibility.ts';
import type { ServiceCapability, Viewer } from '../../src/identity/viewer.ts';
import { assignment, engineer, operator, user } from '../support/builders.ts';

const audience = {
  organizationId: 'organization',
  siteId: 'site',
  reporterId: 'reporter',
  engineerIds: ['engineer-before', 'engineer'],
};
const service = (organizationId: string | null, ...capabilities: ServiceCapability[]): Viewer => ({
  ...{ id: 'service', email: 'service@example.com', name: 'Service', kind: 'SERVICE_ACCOUNT' },
  ...{ capabilities, evaluatedProducts: [], organizationId },
});
const former = (viewer: Viewer): Viewer => ({ ...viewer, ...{ organizationIds: [] } });
const unsynced = { syncState: 'PENDING_SYNC' } as const;

describe('an event', () => {
  test.each<[string, Viewer]>([
    ['the engineer', engineer()],
    ['the engineer before', engineer('engineer-before')],
    ['the reporter', user('reporter')],
    ['an organization admin', user('admin', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION'))],
    ['a holder of a role on the site', user('admin', assignment('SITE_ADMIN', 'THIS_SITE'))],
    [
      'a holder of a role on a product of the site',
      user('admin', assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT')),
    ],
    [
      'a holder of two roles, of which one reaches the site',
      user('admin', assignment('SITE_ADMIN', 'OTHER_SITE'), assignment('SITE_ADMIN', 'THIS_SITE')),
    ],
    ['a watcher of the vendor', service(null, 'AUDIT_READING', 'GRANT_WATCHING')],
    ['a watcher of the organization', service('organization', 'GRANT_WATCHING')],
  ])('is received by %s', (_, viewer) => {
    expect(mayReceive(viewer, audience)).toBe(true);
  });

  test.each<[string, Viewer]>([
    ['another engineer', engineer('other')],
    ['an operator', operator()],
    ['a member', user('plain')],
    ['a reporter who left the organization', former(user('reporter'))],
    ['an admin who left', former(user('admin', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION')))],
    ['a holder of a role on another site', user('admin', assignment('SITE_ADMIN', 'OTHER_SITE'))],
    ['a holder of a role that is not synced', user('admin', assignment('SITE_ADMIN', 'THIS_SITE', unsynced))],
    [
      'an admin of another organization',
      user('admin', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', { organizationId: 'elsewhere' })),
    ],
    ['a service account that does not watch grants', service(null, 'TICKETING', 'AUDIT_READING')],
    ['a watcher of another organization', service('elsewhere', 'GRANT_WATCHING')],
  ])('is not received by %s', (_, viewer) => {
    expect(mayReceive(viewer, audience)).toBe(false);
  });
});

test.each<[string, Viewer, ReturnType<typeof topicsFor>]>([
  ['an engineer: their own', engineer(), ['engineer:engineer']],
  ['an operator: none', operator(), []],
  ['a service account of the vendor: all', service(null, 'GRANT_WATCHING'), 'EVERYTHING'],
  ['a service account of an organization: its', service('acme', 'GRANT_WATCHING'), ['organization:acme']],
  ['a user without roles: their own tickets', user('plain'), ['reporter:plain']],
  [
    'a user with roles: each organization and site once',
    user(
      'admin',
      assignment('ORGANIZATION_ADMIN', 'ORGANIZATION'),
      assignment('SITE_ADMIN', 'THIS_SITE'),
      assignment('PRODUCT_ADMIN', 'THIS_PRODUCT'),
    ),
    ['reporter:admin', 'organization:organization', 'site:site'],
  ],
])('topics of %s', (_, viewer, expected) => {
  expect(topicsFor(viewer)).toEqual(expected);
});
