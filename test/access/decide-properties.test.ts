/** Invariants of the decision for any question and any facts. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scopeOf, supportActions } from '../../src/access/catalogue.ts';
import { type ChangeFacts, decide, type Facts, type SessionFacts } from '../../src/access/decide.ts';
import type { Question } from '../../src/access/question.ts';
import { fromNow, HOUR, NOW } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';
import { asker, change, engineerFacts, session, siteFacts, someId, ticketFacts } from './builders.ts';

/** Mostly the first value, so that a yes is not rare. */
const mostly = <Value>(usual: Value, ...others: Value[]): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...others));

const anyTime = mostly(fromNow(HOUR), fromNow(-HOUR), fromNow(-1), NOW, fromNow(1));

const anySession: fc.Arbitrary<SessionFacts> = fc
  .record({
    engineerId: mostly('engineer', 'other'),
    holder: mostly<string | null>('engineer', 'other', null),
    country: mostly('DE', 'US'),
    ended: mostly(false, true),
    dueAt: anyTime,
    expiresAt: anyTime,
    active: mostly(true, false),
    grantExpiresAt: mostly<Date | null>(null, fromNow(-1), NOW, fromNow(1)),
    conversationIds: fc.constantFrom<string[]>([], [], ['r1'], ['r2'], ['r1', 'r2']),
  })
  .map(({ holder, active, grantExpiresAt, conversationIds, ...own }) =>
    session({
      ...own,
      grant: {
        ...{ active, engineerId: holder, expiresAt: grantExpiresAt, conversationIds },
        scope: conversationIds.length === 0 ? 'PRODUCT_DATA' : 'ROVO_CONVERSATIONS',
      },
    }),
  );

const anyFacts: fc.Arbitrary<Facts> = fc.record({
  asker: fc
    .record({
      products: mostly(['jira'], ['confluence'], []),
      organizationId: mostly<string | null>(null, 'organization', 'other'),
    })
    .map(asker),
  engineer: mostly(engineerFacts(), engineerFacts({ active: false }), engineerFacts({ id: 'other' }), null),
  site: fc.oneof(
    {
      weight: 30,
      arbitrary: fc
        .record({
          active: mostly(true, false),
          dataResidencyPinned: fc.boolean(),
          engineerCountries: mostly<string[]>([], ['DE'], ['US']),
        })
        .map(siteFacts),
    },
    fc.constant(null),
  ),
  ticket: fc.oneof(
    {
      weight: 30,
      arbitrary: fc
        .record({
          siteId: mostly('site', 'other'),
          organizationId: mostly('organization', 'other'),
          assigneeId: mostly<string | null>('engineer', 'other', null),
          closed: mostly(false, true),
          product: mostly(
            { key: 'jira', licensed: true },
            { key: 'jira', licensed: false },
            { key: 'confluence', licensed: true },
          ),
        })
        .map(ticketFacts),
    },
    fc.constant(null),
  ),
  sessions: fc.array(anySession, { maxLength: 4 }),
  change: fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .record({
          ticketId: mostly('ticket', 'other'),
          resourceType: mostly('page', 'project'),
          resourceId: mostly('r1', 'r2'),
          state: mostly<ChangeFacts['state']>(
            'CONSENTED',
            'PENDING_CONSENT',
            'REFUSED',
            'WITHDRAWN',
            'EXPIRED',
            'IN_PROGRESS',
            'COMPLETED',
          ),
          validUntil: anyTime,
        })
        .map(change),
    },
    fc.constant(null),
  ),
});

const anyQuestion: fc.Arbitrary<Question> = fc.record({
  engineer: fc.constant({ by: 'email', value: 'erin@vendor.example' } as const),
  action: fc.constantFrom(...supportActions),
  resource: fc.record({ type: fc.constant('page'), id: mostly('r1', 'r2') }),
  site: fc.constant({ by: 'url', value: 'https://acme.example' } as const),
  product: mostly('jira', 'confluence'),
  use: fc.constantFrom({ by: 'key', value: 'SUP-1' } as const, { by: 'id', value: someId } as const),
  engineerCountry: mostly<string | null>(null, 'DE', 'US'),
  processingRegion: mostly<string | null>(null, 'EU', 'US', 'APAC'),
  destinationRegion: mostly<string | null>('EU', 'US', 'APAC', null),
  changeRequest: fc.constant(null),
});

const vendors = fc.record({
  processingRegions: mostly<string[]>([], ['US'], ['EU', 'US']),
  engineerCountries: mostly<string[]>([], ['DE']),
});

const runs = { numRuns: 1_000 };
const at = (vendor: { processingRegions: string[]; engineerCountries: string[] }) => ({ now: NOW, vendor });

/** The rules once more, in another form: whether this session allows it. */
function allows(
  one: SessionFacts,
  asked: Question,
  given: Facts,
  vendor: ReturnType<typeof at>['vendor'],
): boolean {
  const { asker: who, engineer, site, ticket, change: changed } = given;
  if (!engineer || !site || !ticket) return false;
  const regions = [site.dataResidencyRegion, ...(site.dataResidencyPinned ? [] : vendor.processingRegions)];
  const within = (region: string | null) =>
    regions.includes(region ?? site.dataResidencyRegion) ||
    (!site.dataResidencyPinned && vendor.processingRegions.length === 0);
  const country = asked.engineerCountry ?? one.country;
  const { grant } = one;
  return [
    who.products.includes(asked.product),
    [null, site.organizationId].includes(who.organizationId),
    [null, ticket.organizationId].includes(who.organizationId),
    engineer.active && site.active && !ticket.closed,
    ticket.siteId === site.id && ticket.product.key === asked.product && ticket.product.licensed,
    new Set([engineer.id, ticket.assigneeId, one.engineerId, grant.engineerId]).size === 1,
    grant.active && (grant.expiresAt === null || grant.expiresAt > NOW),
    !one.ended && one.dueAt > NOW && one.expiresAt > NOW,
    scopeOf(asked.action) === grant.scope,
    asked.action !== 'rovo_conversation.read' || grant.conversationIds.includes(asked.resource.id),
    [site.engineerCountries, vendor.engineerCountries].every(
      (list) => list.length === 0 || list.includes(country),
    ),
    within(asked.processingRegion),
    asked.action !== 'data.export' || (asked.destinationRegion !== null && within(asked.destinationRegion)),
    asked.action !== 'change.apply' ||
      (changed !== null &&
        changed.state === 'CONSENTED' &&
        changed.validUntil > NOW &&
        changed.ticketId === ticket.id &&
        changed.resourceType === asked.resource.type &&
        changed.resourceId === asked.resource.id),
  ].every(Boolean);
}

test('the answer is yes if and only if one session allows it on its own', () => {
  let yes = 0;
  fc.assert(
    fc.property(anyQuestion, anyFacts, vendors, (asked, given, vendor) => {
      const { allowed } = decide(asked, given, at(vendor));
      if (allowed) yes += 1;
      expect(allowed).toBe(given.sessions.some((one) => allows(one, asked, given, vendor)));
    }),
    runs,
  );
  expect(yes).toBeGreaterThan(runs.numRuns / 50);
});

test('the order of the sessions makes no difference to the answer and its reason', () => {
  fc.assert(
    fc.property(anyQuestion, anyFacts, vendors, (asked, given, vendor) => {
      const { session: _, ...forwards } = decide(asked, given, at(vendor));
      const turned = { ...given, sessions: given.sessions.toReversed() };
      const { session: __, ...backwards } = decide(asked, turned, at(vendor));
      expect(backwards).toEqual(forwards);
    }),
    runs,
  );
});

test('another session never turns a yes into a no', () => {
  fc.assert(
    fc.property(anyQuestion, anyFacts, anySession, vendors, (asked, given, another, vendor) => {
      fc.pre(decide(asked, given, at(vendor)).allowed);
      const more = { ...given, sessions: [another, ...given.sessions] };
      expect(decide(asked, more, at(vendor)).allowed).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('a later moment never turns a no into a yes', () => {
  fc.assert(
    fc.property(anyQuestion, anyFacts, vendors, fc.nat(2 * HOUR), (asked, given, vendor, ms) => {
      fc.pre(!decide(asked, given, at(vendor)).allowed);
      expect(decide(asked, given, { now: fromNow(ms), vendor }).allowed).toBe(false);
    }),
    runs,
  );
});

test('a yes names a session of the engineer', () => {
  fc.assert(
    fc.property(anyQuestion, anyFacts, vendors, (asked, given, vendor) => {
      const verdict = decide(asked, given, at(vendor));
      if (verdict.allowed) expect(verdict.session.engineerId).toBe(given.engineer?.id);
    }),
    runs,
  );
});

test('the function does not modify its arguments', () => {
  fc.assert(
    fc.property(anyQuestion, anyFacts, vendors, (asked, given, vendor) => {
      const untouched = structuredClone({ asked, given });
      decide(deepFreeze(asked), deepFreeze(given), at(vendor));
      expect({ asked, given }).toEqual(untouched);
    }),
    { numRuns: 100 },
  );
});
