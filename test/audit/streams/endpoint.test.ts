import { describe, expect, test } from 'vitest';
import {
  isAllowedAddress,
  problemOf,
  publicOnly,
  readEndpoint,
} from '../../../src/audit/streams/endpoint.ts';
import { statusOf } from '../../../src/audit/streams/health.ts';
import { trustedProxies } from '../../../src/platform/client-address.ts';
import { isPublicAddress } from '../../../src/platform/public-address.ts';

describe('an address is public', () => {
  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '172.15.0.1',
    '172.32.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
  ])('%s', (address) => expect(isPublicAddress(address)).toBe(true));
});

describe('an address is not public', () => {
  test.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.168.1.1', '198.18.0.1', '198.19.255.255'],
    ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::127.0.0.1', '64:ff9b::a00:1', '100::1'],
    ...['fc00::1', 'fd12::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', '2001::1', '2001:db8::1'],
    ...['2002:7f00:1::', '3fff::1', 'localhost', '', '0x7f.1'],
  ])('%s', (address) => expect(isPublicAddress(address)).toBe(false));
});

const lan = { isAllowed: trustedProxies(['10.20.0.0/16', '127.0.0.0/8']) ?? (() => false), isAny: true };

test.each([
  ['https://siem.customer.example/latchkey', null, null],
  ['https://1.1.1.1/', null, null],
  ['https://10.20.0.1/', 'private', null],
  ['https://10.21.0.1/', 'private', 'private'],
  ['https://[::1]/', 'private', 'private'],
  ['https://0x7f000001/', 'private', null],
  ['http://127.0.0.1:8080/', 'https://', null],
  ['http://siem.customer.example/', 'https://', null],
  ['http://1.1.1.1/', 'https://', 'https://'],
])('%s may be an endpoint by default, and with networks that are allowed', (url, byDefault, allowed) => {
  for (const [networks, problem] of [
    [publicOnly, byDefault],
    [lan, allowed],
  ] as const) {
    const found = problemOf(new URL(url).href, networks);
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  }
});

test('where a name leads is judged by the address: without TLS only to what is allowed', () => {
  expect(isAllowedAddress('1.1.1.1', 'https:', lan.isAllowed)).toBe(true);
  expect(isAllowedAddress('1.1.1.1', 'http:', lan.isAllowed)).toBe(false);
  expect(isAllowedAddress('10.20.1.1', 'http:', lan.isAllowed)).toBe(true);
  expect(isAllowedAddress('::ffff:10.20.1.1', 'https:', lan.isAllowed)).toBe(true);
  expect(isAllowedAddress('10.21.1.1', 'https:', lan.isAllowed)).toBe(false);
});

test.each([
  '',
  'siem',
  'ftp://siem.example',
  'javascript:alert(1)',
  'https://a:b@siem.example',
  'https://siem.example/#a',
])('%j is no endpoint', (text) => expect(readEndpoint(text)).toHaveProperty('problem'));

describe('a stream is', () => {
  const now = new Date('2026-11-28T12:00:00Z');
  const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
  const well = { waitingSince: null, attempts: 0, dueAt: ago(100), lastAttemptAt: ago(100) };
  test.each([
    ['HEALTHY', 'ACTIVE', well],
    ['HEALTHY', 'ACTIVE', { ...well, waitingSince: ago(1) }],
    ['SILENT', 'ACTIVE', { ...well, waitingSince: ago(6) }],
    ['SILENT', 'ACTIVE', { ...well, waitingSince: ago(6), lastAttemptAt: null }],
    ['HEALTHY', 'ACTIVE', { ...well, waitingSince: ago(60), lastAttemptAt: ago(1) }],
    ['FAILING', 'ACTIVE', { ...well, waitingSince: ago(60), attempts: 3, dueAt: ago(-60) }],
    ['SILENT', 'ACTIVE', { ...well, waitingSince: ago(60), attempts: 3, dueAt: ago(30) }],
    ['PAUSED', 'PAUSED', { ...well, waitingSince: ago(60) }],
    ['DISABLED', 'DISABLED', { ...well, waitingSince: ago(60), attempts: 10 }],
  ] as const)('%s: %s %o', (status, state, health) => expect(statusOf(state, health, now)).toBe(status));
});
