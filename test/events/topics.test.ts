import { describe, expect, test } from 'vitest';
import { grantKind } from '../../src/events/kinds/grant.ts';
import { concerns, createTopicIndex, type Topics } from '../../src/events/topics.ts';
import { grantEvent } from './events.ts';

const about = grantKind.topicsOf(
  grantEvent({
    ticketId: 'ticket',
    audience: { organizationId: 'org', siteId: 'site', reporterId: 'rita', engineerIds: ['eve', 'egon'] },
  }),
);

describe('topics', () => {
  test('name everything an event is about', () => {
    expect(about).toStrictEqual([
      'organization:org',
      'site:site',
      'ticket:ticket',
      'reporter:rita',
      'engineer:eve',
      'engineer:egon',
    ]);
  });

  test.each<[Topics, boolean]>([
    ['EVERYTHING', true],
    [['engineer:egon'], true],
    [['site:other', 'organization:org'], true],
    [['site:other', 'engineer:rita'], false],
    [[], false],
  ])('%j concern the event: %j, and the topic index agrees', (topics, concerned) => {
    expect(concerns(topics, about)).toBe(concerned);
    const index = createTopicIndex<string>();
    index.set('subscriber', topics);
    expect([...index.match(about)]).toStrictEqual(concerned ? ['subscriber'] : []);
  });
});

describe('the topic index', () => {
  test('returns every subscriber once, however many topics it shares with the event', () => {
    const index = createTopicIndex<string>();
    index.set('admin', ['site:site', 'organization:org', 'ticket:ticket']);
    index.set('operator', 'EVERYTHING');
    index.set('stranger', ['organization:else']);
    expect([...index.match(about)].toSorted()).toStrictEqual(['admin', 'operator']);
  });

  test('leaves no entry behind when topics are replaced or a subscriber is deleted', () => {
    const index = createTopicIndex<string>();
    index.set('one', ['site:site', 'organization:org']);
    index.set('one', 'EVERYTHING');
    expect(index.size).toStrictEqual({ subscribers: 1, entries: 1 });
    index.set('one', ['site:else']);
    expect([...index.match(about)]).toStrictEqual([]);
    index.delete('one');
    index.delete('one');
    expect(index.size).toStrictEqual({ subscribers: 0, entries: 0 });
  });
});
