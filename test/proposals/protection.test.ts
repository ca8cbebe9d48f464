/** Which changes take two people, and whose confirmation they wait for. */
import { describe, expect, test } from 'vitest';
import {
  couldBeConfirmed,
  type GuardedPolicy,
  type GuardFacts,
  loosens,
  waitOfAppointment,
  waitOfRemoval,
} from '../../src/proposals/protection.ts';
import { policyChange, roleAssigned, roleRemoved, roleSynced } from '../../src/proposals/summary.ts';
import { fromNow, HOUR, NOW } from '../support/builders.ts';

const policy: GuardedPolicy = {
  requestWaitSeconds: 3600,
  maxGrantSeconds: 3600,
  samePersonMayApproveTwice: false,
  relayedConsentCounts: false,
  dataResidencyPinned: true,
  engineerCountries: ['DE', 'IE'],
  sessionIdleSeconds: 60,
  maxSessionSeconds: 3600,
};
const lax: GuardedPolicy = {
  requestWaitSeconds: 86_400,
  maxGrantSeconds: null,
  samePersonMayApproveTwice: true,
  relayedConsentCounts: true,
  dataResidencyPinned: false,
  engineerCountries: [],
  sessionIdleSeconds: 120,
  maxSessionSeconds: 86_400,
};

describe('a policy is loosened', () => {
  test.each([
    ['by a longer wait of requests', { requestWaitSeconds: 3601 }],
    ['by longer grants', { maxGrantSeconds: 3601 }],
    ['by grants without a maximum duration', { maxGrantSeconds: null }],
    ['by one person for both approvals', { samePersonMayApproveTwice: true }],
    ['by a relayed consent that counts', { relayedConsentCounts: true }],
    ['by data that may leave its region', { dataResidencyPinned: false }],
    ['by another country', { engineerCountries: ['DE', 'FR', 'IE'] }],
    ["by all of the vendor's countries", { engineerCountries: [] }],
    ['by sessions that wait longer for an action', { sessionIdleSeconds: 61 }],
    ['by longer sessions', { maxSessionSeconds: 3601 }],
    ['even if something else is tightened', { requestWaitSeconds: 1, samePersonMayApproveTwice: true }],
  ])('%s', (_, change) => {
    expect(loosens(policy, { ...policy, ...change })).toBe(true);
    expect(loosens({ ...policy, ...change }, policy)).toBe(
      'requestWaitSeconds' in change && change.requestWaitSeconds === 1,
    );
  });

  test('by a country in place of another, in either direction', () => {
    const moved = { ...policy, engineerCountries: ['DE', 'FR'] };
    expect(loosens(policy, moved)).toBe(true);
    expect(loosens(moved, policy)).toBe(true);
  });

  test('not by staying as it is, and not by tightening', () => {
    expect(loosens(policy, policy)).toBe(false);
    expect(loosens(lax, lax)).toBe(false);
    expect(loosens(lax, policy)).toBe(false);
  });
});

const facts = (...guardAdmins: GuardFacts['guardAdmins']): GuardFacts => ({
  isRestricted: true,
  guardAdmins,
});
const ofAll = (accountId: string) => ({ accountId, siteId: null });
const of = (siteId: string, accountId: string) => ({ accountId, siteId });
const here = { proposerId: 'admin', subjectId: 'newcomer', siteId: 'site' };
const everywhere = { ...here, siteId: null };

describe('who could confirm a change', () => {
  test.each([
    ['a Guard admin of the whole organization', [ofAll('guard')], true, true],
    ['a Guard admin of the site', [of('site', 'guard')], true, true],
    ['a Guard admin of another site', [of('other-site', 'guard')], false, true],
    ['the proposer', [ofAll('admin')], false, false],
    ['the person whom it appoints', [ofAll('newcomer')], false, false],
    ['nobody', [], false, false],
    ['somebody beside the proposer', [ofAll('admin'), of('site', 'guard')], true, true],
  ])('%s', (_, guardAdmins, onTheSite, onTheOrganization) => {
    expect(couldBeConfirmed(facts(...guardAdmins), here, true)).toBe(onTheSite);
    expect(couldBeConfirmed(facts(...guardAdmins), everywhere, true)).toBe(onTheOrganization);
  });

  test('a Guard admin who is removed may confirm that', () => {
    expect(couldBeConfirmed(facts(ofAll('newcomer')), here, false)).toBe(true);
  });
});

describe('the appointment of a Guard admin', () => {
  const settings = { now: NOW, appointmentWaitMs: 72 * HOUR };

  test('waits for nothing where no site is restricted', () => {
    expect(waitOfAppointment({ isRestricted: false, guardAdmins: [] }, everywhere, settings)).toBeNull();
    expect(
      waitOfAppointment({ isRestricted: false, guardAdmins: [ofAll('guard')] }, everywhere, settings),
    ).toBeNull();
  });

  test('waits for a Guard admin where there is one', () => {
    expect(waitOfAppointment(facts(ofAll('guard')), everywhere, settings)).toEqual({
      ...{ needs: 'GUARD_ADMIN', effectiveAt: null },
    });
  });

  test('takes effect by time where nobody could confirm it', () => {
    const byTime = { needs: 'GUARD_ADMIN', effectiveAt: fromNow(72 * HOUR) };
    expect(waitOfAppointment(facts(), everywhere, settings)).toEqual(byTime);
    expect(waitOfAppointment(facts(ofAll('admin')), everywhere, settings)).toEqual(byTime);
    expect(waitOfAppointment(facts(of('other-site', 'guard')), here, settings)).toEqual(byTime);
  });
});

test('the removal of a Guard admin always waits for a Guard admin where a site is restricted', () => {
  expect(waitOfRemoval(facts())).toEqual({ needs: 'GUARD_ADMIN', effectiveAt: null });
  expect(waitOfRemoval({ isRestricted: false, guardAdmins: [] })).toBeNull();
});

describe('the sentence', () => {
  const url = 'https://acme.example';

  test('of a policy says what differs', () => {
    expect(policyChange(url, policy, lax)).toBe(
      "Change the support access policy of https://acme.example: a request waits 1 day instead of 1 hour; a grant lasts until its ticket closes instead of at most 1 hour; one person may give both approvals; a relayed consent counts; its data may be processed in all of the vendor's regions; engineers act from all of the vendor's countries instead of DE, IE; a session waits 2 minutes for an action instead of 1 minute; a session lasts at most 1 day instead of 1 hour",
    );
    expect(policyChange(url, lax, { ...lax, requestWaitSeconds: 90_060, maxGrantSeconds: 61 })).toBe(
      'Change the support access policy of https://acme.example: a request waits 1501 minutes instead of 1 day; a grant lasts at most 61 seconds instead of until its ticket closes',
    );
    expect(
      policyChange(url, { ...policy, requestWaitSeconds: 1 }, { ...lax, maxGrantSeconds: 3600 }),
    ).toContain('a request waits 1 day instead of 1 second; one person');
    expect(policyChange(url, lax, { ...policy, requestWaitSeconds: 172_800 })).toContain(
      "a request waits 2 days instead of 1 day; a grant lasts at most 1 hour instead of until its ticket closes; two people give the two approvals; a relayed consent waits for the reporter; its data stays in the site's region; engineers act from DE, IE instead of all of the vendor's countries; a session waits 1 minute for an action instead of 2 minutes; a session lasts at most 1 hour instead of 1 day",
    );
    const many = [...'ABCDEFGILMOQR'].map((letter) => `A${letter}`);
    expect(policyChange(url, policy, { ...policy, engineerCountries: many })).toBe(
      'Change the support access policy of https://acme.example: engineers act from AA, AB, AC, AD, AE, AF, AG, AI, AL, AM, AO, AQ and 1 more instead of DE, IE',
    );
  });

  test('of a role says what it is held over', () => {
    const place = { organization: 'Acme', site: null, product: null };
    const email = 'gus@acme.example';
    expect(roleAssigned(email, 'GUARD_ADMIN', place)).toBe(
      'Assign the role Guard admin over Acme to gus@acme.example',
    );
    expect(roleRemoved(email, 'GUARD_ADMIN', { ...place, site: url })).toBe(
      'Remove the role Guard admin over https://acme.example from gus@acme.example',
    );
    expect(roleSynced(email, 'PRODUCT_ADMIN', { ...place, site: url, product: 'Jira' })).toBe(
      'Make the role Product admin over Jira on https://acme.example count, which the identity provider has pushed for gus@acme.example',
    );
  });
});
