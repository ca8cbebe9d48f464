/** What is read from the headers and the JSON of a webhook, and what is refused. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { createWebhookCounters, onceAMinute, webhookResults } from '../../src/webhooks/counters.ts';
import { isFresh, isSignedBy, readHeaders } from '../../src/webhooks/signature.ts';
import { filingOf, readTicketEvent } from '../../src/webhooks/ticket-event.ts';

const secretOf = (byte: number, length = 32): string =>
  `whsec_${Buffer.alloc(length, byte).toString('base64')}`;
const [first, second, third] = [secretOf(1), secretOf(2, 24), secretOf(3, 64)];
const timestamp = new Date('2026-11-27T12:00:00Z');
const seconds = String(timestamp.getTime() / 1_000);

describe('headers', () => {
  const given = { 'webhook-id': 'msg_1', 'webhook-timestamp': seconds, 'webhook-signature': 'v1,a v1,b' };
  const read = (change: Record<string, string | undefined> = {}) => {
    const headers: Record<string, string | undefined> = { ...given, ...change };
    return readHeaders((name) => headers[name]);
  };

  test('are the id, the time in seconds and the signatures', () => {
    expect(read()).toEqual({ id: 'msg_1', timestamp, signatures: ['v1,a', 'v1,b'] });
  });

  test.each(Object.keys(given))('without %s are unsigned', (name) => {
    expect(read({ [name]: undefined })).toBe('UNSIGNED');
    expect(read({ [name]: '' })).toBe('UNSIGNED');
  });

  test.each([
    ['webhook-id', 'a.b'],
    ['webhook-id', 'a b'],
    ['webhook-id', 'ä'],
    ['webhook-id', 'x'.repeat(101)],
    ['webhook-timestamp', '1e9'],
    ['webhook-timestamp', ` ${seconds}`],
    ['webhook-timestamp', `${seconds}.5`],
    ['webhook-timestamp', '-1'],
    ['webhook-timestamp', '0'],
    ['webhook-timestamp', '9'.repeat(12)],
  ])('with a %s of %j are malformed', (name, value) => {
    expect(read({ [name]: value })).toBe('MALFORMED');
  });

  test('are fresh for five minutes, before and after', () => {
    const headers = { id: 'msg_1', timestamp, signatures: [] };
    const at = (ms: number) => isFresh(headers, new Date(timestamp.getTime() + ms));
    expect([-300_000, 0, 300_000].map(at)).toEqual([true, true, true]);
    expect([-300_001, 300_001].map(at)).toEqual([false, false]);
  });
});

describe('a signature', () => {
  const body = Buffer.from('{"type":"ticket.closed", "é": "\\u00e9 😀"}\n');
  const byLibrary = (secret: string) => new Webhook(secret).sign('msg_1', timestamp, body);
  const byHand = (secret: string, of: Buffer = body) =>
    `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(Buffer.concat([Buffer.from(`msg_1.${seconds}.`), of]))
      .digest('base64')}`;
  const isSigned = (secrets: string[], signatures: string[], id = 'msg_1', of = body) =>
    isSignedBy(secrets, { id, timestamp, signatures }, of);

  test.each([first, second, third])('is the same by the library and by hand', (secret) => {
    expect(byLibrary(secret)).toBe(byHand(secret));
    expect(isSigned([secret], [byHand(secret)])).toBe(true);
  });

  test('is by any of the secrets, and any of those given', () => {
    expect(isSigned([first, second, third], [byHand(third)])).toBe(true);
    expect(isSigned([second], ['v1a,other', 'v1', '', byHand(first), byHand(second)])).toBe(true);
    expect(isSigned([second], [byHand(first)])).toBe(false);
    expect(isSigned([second], [])).toBe(false);
    expect(isSigned([], [byHand(first)])).toBe(false);
  });

  test('is over the bytes, the id and the time', () => {
    const signature = byHand(first);
    expect(isSigned([first], [signature], 'msg_2')).toBe(false);
    expect(isSigned([first], [signature], 'msg_1', body.subarray(0, -1))).toBe(false);
    expect(isSigned([first], [signature.replace('v1,', 'v1a,')])).toBe(false);
    expect(isSigned([first], [signature.slice(0, -1)])).toBe(false);
    const later = { id: 'msg_1', timestamp: new Date(timestamp.getTime() + 1_000), signatures: [signature] };
    expect(isSignedBy([first], later, body)).toBe(false);
  });

  test('of a body that is not UTF-8 matches nothing that a program signs', () => {
    const broken = Buffer.from([0x7b, 0xff, 0x7d]);
    expect(isSigned([first], [byHand(first, broken)], 'msg_1', broken)).toBe(false);
  });
});

const latest = new Date('2026-11-27T12:05:00Z');
const ticket = { external_id: '4711', sequence: 3 };
const filing = {
  ...{ summary: 'It is slow', site: 'https://acme.example', product: 'jira' },
  reporter: 'rita@acme.example',
};
const read = (type: string, data: unknown, at: unknown = '2026-11-27T12:00:00Z') =>
  readTicketEvent({ type, timestamp: at, data }, latest);
const common = { externalId: '4711', sequence: 3, occurredAt: timestamp };

describe('an event', () => {
  test.each([
    ['ticket.created', filing, 'CREATED', { ...filing, data_access_consent: false }],
    [
      'ticket.created',
      { ...filing, data_access_consent: true, engineer: 'Erin@Vendor.example', status: 'RESOLVED' },
      'CREATED',
      { ...filing, data_access_consent: true, engineer: 'erin@vendor.example', status: 'RESOLVED' },
    ],
    ['ticket.updated', {}, 'UPDATED', {}],
    ['ticket.updated', { engineer: null, status: 'OPEN' }, 'UPDATED', { engineer: null, status: 'OPEN' }],
    ['ticket.assigned', { engineer: null }, 'ASSIGNED', { engineer: null }],
    ['ticket.status_changed', { status: 'CLOSED' }, 'STATUS_CHANGED', { status: 'CLOSED' }],
    ['ticket.closed', {}, 'CLOSED', { status: 'CLOSED' }],
  ])('%s says what Latchkey reads of it', (type, data, kind, content) => {
    const unknown = { priority: 'high', nested: { a: 1 } };
    expect(read(type, { ...ticket, ...data, ...unknown })).toEqual({
      event: { ...common, type: kind, content },
    });
  });

  test('is documented by an example for each type', () => {
    const page = readFileSync('docs/webhooks.md', 'utf8');
    const examples = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text = '']) =>
      JSON.parse(text),
    );
    expect(examples.map(({ type }) => type).sort()).toEqual([
      ...['ticket.assigned', 'ticket.closed', 'ticket.created', 'ticket.status_changed', 'ticket.updated'],
    ]);
    for (const example of examples)
      expect(readTicketEvent(example, latest), example.type).toHaveProperty('event.externalId', '4711');
  });

  test('of another type is ignored, whatever it says', () => {
    for (const type of ['ticket.commented', 'constructor', '__proto__', ''])
      expect(read(type, null)).toEqual({ ignored: true });
  });

  test('has no number where the ticketing system gives none', () => {
    expect(read('ticket.closed', { external_id: '4711' })).toMatchObject({ event: { sequence: 0 } });
  });

  test('says when it happened, with any offset', () => {
    expect(read('ticket.closed', ticket, '2026-11-27T14:00:00.000+02:00')).toMatchObject({
      event: { occurredAt: timestamp },
    });
  });

  test.each(['1970-01-01T00:00:00Z', latest.toISOString()])('may have happened at %s', (at) => {
    expect(read('ticket.closed', ticket, at)).toHaveProperty('event.occurredAt', new Date(at));
  });

  test.each<[string, unknown, unknown?]>([
    ['data.external_id: must not be empty', { ...ticket, external_id: '' }],
    ['data.external_id: must have at most 200 characters', { ...ticket, external_id: 'x'.repeat(201) }],
    [
      'data.external_id: must be one line of visible characters, without spaces around it',
      { ...ticket, external_id: ' a' },
    ],
    ['data.summary: must have a character that can be seen', { ...ticket, ...filing, summary: ' \u200b ' }],
    [
      'data.site: must be the URL of a site, https://customer.example',
      { ...ticket, ...filing, site: 'acme.example' },
    ],
    ['data.reporter: must be an email address', { ...ticket, ...filing, reporter: 'rita' }],
    ['timestamp: must be a time after 1970', { ...ticket, ...filing }, '1969-12-31T23:59:59Z'],
    ['timestamp: must not be in the future', { ...ticket, ...filing }, '2026-11-27T12:05:00.001Z'],
  ])('that is malformed says: %s', (problem, data, at) => {
    expect(read('ticket.created', data, at)).toEqual({ problem });
  });

  test('that is no object says so of the whole body', () => {
    expect(readTicketEvent(null, latest)).toEqual({ problem: expect.stringMatching(/^the body: ./) });
  });

  test.each([
    ['{ "type": 1 }', { type: 1 }],
    ['an array', []],
    ['null', null],
    ['no data', { type: 'ticket.closed', timestamp: '2026-11-27T12:00:00Z' }],
    ['no time', { type: 'ticket.closed', data: ticket }],
  ])('that is %s is malformed', (_, json) => {
    expect(readTicketEvent(json, latest)).toHaveProperty('problem');
  });

  test.each<[string, unknown, unknown?]>([
    ['data.external_id', { ...ticket, external_id: '' }],
    ['data.external_id', { ...ticket, external_id: 4711 }],
    ['data.external_id', { ...ticket, external_id: 'x'.repeat(201) }],
    ['data.external_id', { ...ticket, external_id: 'a\nb' }],
    ['data.external_id', { ...ticket, external_id: ' a' }],
    ['data.external_id', { ...ticket, external_id: 'a\ud800' }],
    ['data.sequence', { ...ticket, sequence: -1 }],
    ['data.sequence', { ...ticket, sequence: 1.5 }],
    ['data.summary', { ...ticket, ...filing, summary: ' \u200b ' }],
    ['data.site', { ...ticket, ...filing, site: 'acme.example' }],
    ['data.reporter', { ...ticket, ...filing, reporter: 'rita' }],
    ['data.engineer', { ...ticket, ...filing, engineer: 'erin' }],
    ['data.status', { ...ticket, ...filing, status: 'open' }],
    ['data.data_access_consent', { ...ticket, ...filing, data_access_consent: 'true' }],
    ['timestamp', { ...ticket, ...filing }, '2026-11-27 12:00'],
    ['timestamp', { ...ticket, ...filing }, '2026-11-27T12:05:00.001Z'],
    ['timestamp', { ...ticket, ...filing }, '1969-12-31T23:59:59Z'],
  ])('with a wrong %s is malformed, and the problem quotes nothing', (path, data, at) => {
    const event = read('ticket.created', data, at);
    expect(event).toEqual({ problem: expect.stringMatching(new RegExp(`^${path}: `)) });
    expect(JSON.stringify(event)).not.toMatch(/rita|erin|acme/);
  });

  test.each([
    ['Two\r\nlines\tand \u0000more', 'Two lines and more'],
    [`${'x'.repeat(199)}😀`, 'x'.repeat(199)],
    ['😀 is slow', '😀 is slow'],
    ['A\u202eB\u200b C', 'AB C'],
    ['broken \ud800 half', 'broken \ufffd half'],
    ['  spaces \n\n around  ', 'spaces around'],
    [`${'x'.repeat(199)} y`, 'x'.repeat(199)],
  ])('has a summary of one line that can be shown: %j', (summary, shown) => {
    expect(read('ticket.created', { ...ticket, ...filing, summary })).toMatchObject({
      event: { content: { summary: shown } },
    });
  });

  test('files a ticket only if it says all that a ticket needs', () => {
    expect(filingOf({ ...filing, data_access_consent: true })).toEqual({
      ...filing,
      data_access_consent: true,
    });
    expect(filingOf(filing)).toMatchObject({ data_access_consent: false });
    for (const name of Object.keys(filing)) expect(filingOf({ ...filing, [name]: undefined })).toBeNull();
  });
});

describe('counters', () => {
  test('have every result', () => {
    const counters = createWebhookCounters();
    counters.count('APPLIED');
    counters.count('APPLIED');
    counters.count('WEBHOOK_STALE');
    const none = Object.fromEntries(webhookResults.map((result) => [result, 0]));
    expect(counters.read()).toEqual({ ...none, APPLIED: 2, WEBHOOK_STALE: 1 });
  });

  test('are told once a minute for each subject, with the number since', () => {
    let now = 0;
    const times = onceAMinute<string>(() => now);
    expect([times('a'), times('a'), times('b'), times('a')]).toEqual([1, null, 1, null]);
    now = 59_999;
    expect(times('a')).toBeNull();
    now = 60_000;
    expect([times('a'), times('a'), times('b')]).toEqual([4, null, 1]);
  });
});
