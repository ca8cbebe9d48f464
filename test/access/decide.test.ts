/** The decision: what each answer depends on, fact by fact. */
import { expect, test } from 'vitest';
import { type SupportAction, supportActions } from '../../src/access/catalogue.ts';
import { decide, type Facts, type Verdict } from '../../src/access/decide.ts';
import { type ReasonCode, reasonCodes, sentenceOf } from '../../src/access/reasons.ts';
import { fromNow, HOUR, NOW } from '../support/builders.ts';
import {
  asker,
  change,
  circumstances,
  contextOf,
  engineerFacts,
  type evaluation,
  facts,
  question,
  rovoSession,
  session,
  siteFacts,
  someChange,
  ticketFacts,
} from './builders.ts';

type Asked = Parameters<typeof evaluation>[0];

const ask = (asked: Asked, given: Partial<Facts> = {}, vendor = circumstances().vendor): Verdict =>
  decide(question(asked), facts(given), circumstances({ vendor }));

const codeOf = (verdict: Verdict): string => (verdict.allowed ? 'ALLOWED' : verdict.code);

/** A valid question about each action, and facts under which the answer is yes. */
const allowed: Record<SupportAction, [Asked, Partial<Facts>]> = {
  'work_item.read': [{}, {}],
  'comment.read': [{ resource: { type: 'comment' } }, {}],
  'attachment.read': [{ resource: { type: 'attachment' } }, {}],
  'page.read': [{ resource: { type: 'page' } }, {}],
  'users.view': [{ resource: { type: 'user' } }, {}],
  'groups.view': [{ resource: { type: 'group' } }, {}],
  'permissions.view': [{ resource: { type: 'permission' } }, {}],
  'audit_log.view': [{ resource: { type: 'product', id: 'jira' } }, {}],
  'admin_settings.view': [{ resource: { type: 'admin_setting' } }, {}],
  'rovo_conversation.read': [
    { resource: { type: 'rovo_conversation', id: 'chat-1' } },
    { sessions: [rovoSession('chat-1')] },
  ],
  'rovo_index.read': [{}, {}],
  'data.export': [{}, {}],
  'change.apply': [{ resource: { type: 'project', id: 'ACME' } }, { change: change() }],
};

test.each(supportActions)('%s is allowed', (action) => {
  const [asked, given] = allowed[action];
  expect(codeOf(ask({ action, context: contextOf[action] ?? {}, ...asked }, given))).toBe('ALLOWED');
});

test('a yes names the session', () => {
  expect(ask({})).toEqual({ allowed: true, session: session() });
});

const exporting = { action: 'data.export', context: { destination_region: 'US' } };
const changing = {
  action: 'change.apply',
  resource: { type: 'project', id: 'ACME' },
  context: { change_request: someChange },
};
const conversation = (id: string) => ({
  action: 'rovo_conversation.read',
  resource: { type: 'rovo_conversation', id },
});
const named = { context: { ticket: undefined, session: 'named' } };

type Row = [reason: ReasonCode, why: string, asked: Asked, given: Partial<Facts>];

const refused: Row[] = [
  [
    'ASKER_OF_OTHER_PRODUCT',
    'the backend of another product',
    {},
    { asker: asker({ products: ['confluence'] }) },
  ],
  ['ENGINEER_NOT_FOUND', 'an unknown engineer', {}, { engineer: null }],
  ['ENGINEER_DEACTIVATED', 'a deactivated engineer', {}, { engineer: engineerFacts({ active: false }) }],
  ['SITE_NOT_FOUND', 'an unknown site', {}, { site: null }],
  [
    'SITE_NOT_FOUND',
    "a site of another customer than the account's",
    {},
    { asker: asker({ organizationId: 'other' }) },
  ],
  ['SITE_DEACTIVATED', 'a deactivated site', {}, { site: siteFacts({ active: false }) }],
  ['TICKET_NOT_FOUND', 'an unknown ticket', {}, { ticket: null, sessions: [] }],
  [
    'TICKET_NOT_FOUND',
    "a ticket of another customer than the account's",
    {},
    {
      asker: asker({ organizationId: 'organization' }),
      ticket: ticketFacts({ organizationId: 'other', siteId: 'other' }),
    },
  ],
  ['SESSION_NOT_FOUND', 'an unknown session', named, { ticket: null, sessions: [] }],
  ['OTHER_SITE', 'a ticket about another site', {}, { ticket: ticketFacts({ siteId: 'other' }) }],
  [
    'OTHER_PRODUCT',
    'a ticket about another product',
    {},
    { ticket: ticketFacts({ product: { key: 'confluence', licensed: true } }) },
  ],
  [
    'PRODUCT_NOT_LICENSED',
    'a product without a licence',
    {},
    { ticket: ticketFacts({ product: { key: 'jira', licensed: false } }) },
  ],
  ['TICKET_CLOSED', 'a closed ticket', {}, { ticket: ticketFacts({ closed: true }) }],
  ['NOT_ASSIGNED', 'a ticket of another engineer', {}, { ticket: ticketFacts({ assigneeId: 'other' }) }],
  ['NOT_ASSIGNED', 'a ticket of nobody', {}, { ticket: ticketFacts({ assigneeId: null }) }],
  ['NO_OPEN_SESSION', 'no session', {}, { sessions: [] }],
  ['NO_OPEN_SESSION', "another engineer's session", {}, { sessions: [session({ engineerId: 'other' })] }],
  [
    'SESSION_OF_OTHER_ENGINEER',
    "another engineer's session, by its id",
    named,
    { sessions: [session({ engineerId: 'other' })] },
  ],
  [
    'SESSION_OF_OTHER_ENGINEER',
    'a grant that passed to another engineer',
    {},
    { sessions: [session({ grant: { engineerId: 'other' } })] },
  ],
  ['GRANT_NOT_ACTIVE', 'a grant that is over', {}, { sessions: [session({ grant: { active: false } })] }],
  ['GRANT_EXPIRED', 'a grant that ends now', {}, { sessions: [session({ grant: { expiresAt: NOW } })] }],
  ['SESSION_ENDED', 'a session that is over', named, { sessions: [session({ ended: true })] }],
  ['SESSION_TIMED_OUT', 'a session that was not used', {}, { sessions: [session({ dueAt: NOW })] }],
  ['SESSION_TIMED_OUT', 'a session whose time is over', {}, { sessions: [session({ expiresAt: NOW })] }],
  ['PRODUCT_DATA_GRANT_NEEDED', 'a grant of conversations', {}, { sessions: [rovoSession('ACME-1')] }],
  ['ROVO_GRANT_NEEDED', 'a grant of the product', conversation('chat-1'), {}],
  [
    'CONVERSATION_NOT_NAMED',
    'another conversation',
    conversation('chat-2'),
    { sessions: [rovoSession('chat-1')] },
  ],
  [
    'COUNTRY_NOT_ALLOWED',
    'an engineer in a country that the site excludes',
    { context: { engineer_country: 'US' } },
    { site: siteFacts({ engineerCountries: ['DE'] }) },
  ],
  ['COUNTRY_NOT_ALLOWED', "the session's country", {}, { site: siteFacts({ engineerCountries: ['US'] }) }],
  [
    'REGION_NOT_ALLOWED',
    'processing outside the region of a pinned site',
    { context: { processing_region: 'US' } },
    { site: siteFacts({ dataResidencyPinned: true }) },
  ],
  [
    'EXPORT_OUTSIDE_BOUNDARY',
    'an export out of the region of a pinned site',
    exporting,
    { site: siteFacts({ dataResidencyPinned: true }) },
  ],
  ['CHANGE_NOT_FOUND', 'an unknown change', changing, { change: null }],
  ['CHANGE_NOT_FOUND', 'a change on another ticket', changing, { change: change({ ticketId: 'other' }) }],
  ['CHANGE_OF_OTHER_RESOURCE', 'another resource', changing, { change: change({ resourceId: 'OTHER' }) }],
  ['CHANGE_OF_OTHER_RESOURCE', 'another type', changing, { change: change({ resourceType: 'board' }) }],
  ['CHANGE_ALREADY_ALLOWED', 'a change in progress', changing, { change: change({ state: 'IN_PROGRESS' }) }],
  ['CHANGE_ALREADY_ALLOWED', 'a completed change', changing, { change: change({ state: 'COMPLETED' }) }],
  ['CHANGE_NOT_CONSENTED', 'an undecided change', changing, { change: change({ state: 'PENDING_CONSENT' }) }],
  ['CHANGE_NOT_CONSENTED', 'a refused change', changing, { change: change({ state: 'REFUSED' }) }],
  ['CHANGE_NOT_CONSENTED', 'a withdrawn change', changing, { change: change({ state: 'WITHDRAWN' }) }],
  ['CHANGE_EXPIRED', 'an expired change', changing, { change: change({ state: 'EXPIRED' }) }],
  ['CHANGE_EXPIRED', 'a change whose time ends now', changing, { change: change({ validUntil: NOW }) }],
];

test.each(refused)('%s: %s', (reason, _, asked, given) => {
  expect(codeOf(ask(asked, given))).toBe(reason);
});

test.each(reasonCodes)('%s is the reason of some refusal, and has a sentence', (code) => {
  const ofNoQuestion = ['INVALID_QUESTION', 'UNKNOWN_ACTION', 'WRONG_RESOURCE_TYPE'];
  expect([...ofNoQuestion, ...refused.map(([reason]) => reason)]).toContain(code);
  expect(sentenceOf(code)).toMatch(/^[A-Z].*\.$/);
});

test("the vendor's countries and regions count as well", () => {
  const vendor = { engineerCountries: ['DE'], processingRegions: ['US'] };
  const codes = [
    { context: { engineer_country: 'FR' } },
    { context: { processing_region: 'APAC' } },
    { context: { processing_region: 'US' } },
    {},
    { action: 'data.export', context: { destination_region: 'APAC' } },
    exporting,
  ].map((asked) => codeOf(ask(asked, {}, vendor)));
  expect(codes).toEqual([
    ...['COUNTRY_NOT_ALLOWED', 'REGION_NOT_ALLOWED', 'ALLOWED', 'ALLOWED'],
    ...['EXPORT_OUTSIDE_BOUNDARY', 'ALLOWED'],
  ]);
});

test('the last moment of a grant, a session and a change is before their end', () => {
  const end = fromNow(1);
  const last = session({ dueAt: end, expiresAt: end, grant: { expiresAt: end } });
  expect(codeOf(ask(changing, { sessions: [last], change: change({ validUntil: end }) }))).toBe('ALLOWED');
});

test('an account of one customer may ask about its own', () => {
  expect(codeOf(ask({}, { asker: asker({ organizationId: 'organization' }) }))).toBe('ALLOWED');
});

test('of several sessions one that allows it is enough, wherever it is', () => {
  const over = session({ id: 'over', grant: { active: false } });
  for (const sessions of [
    [over, session()],
    [session(), over],
  ])
    expect(ask({}, { sessions })).toEqual({ allowed: true, session: session() });
});

test('two grants are not added up: each is judged on its own', () => {
  const sessions = [session({ grant: { active: false } }), rovoSession('chat-1')];
  expect(codeOf(ask({}, { sessions }))).toBe('PRODUCT_DATA_GRANT_NEEDED');
});

test('a refusal is that of the session which came farthest', () => {
  const over = session({ id: 'over', grant: { active: false } });
  const late = session({ id: 'late', dueAt: fromNow(-HOUR) });
  for (const sessions of [
    [over, late],
    [late, over],
  ])
    expect(ask({}, { sessions })).toEqual({ allowed: false, code: 'SESSION_TIMED_OUT', session: late });
});
