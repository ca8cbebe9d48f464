import { describe, expect, test } from 'vitest';
import { concerns, createDirectory, type Topics, topicsOf } from '../../src/events/topics.ts';
import { grantEvent } from './events.ts';

const event = grantEvent({
  ticketId: 'ticket',
  audience: { organizationId: 'org', siteId: 'site', reporterId: 'rita', engineerIds: ['eve', 'egon'] },
});

describe('topics', () => {
  test('say everything an event is about', () => {
    expect(topicsOf(event)).toStrictEqual([
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
  ])('%j: concerned is %j, and the directory agrees', (topics, concerned) => {
    expect(concerns(topics, event)).toBe(concerned);
    const directory = createDirectory<string>();
    directory.place('member', topics);
    expect([...directory.membersFor(event)]).toStrictEqual(concerned ? ['member'] : []);
  });
});

describe('the directory', () => {
  test('names everyone once, however many topics they share with the event', () => {
    const directory = createDirectory<string>();
    directory.place('admin', ['site:site', 'organization:org', 'ticket:ticket']);
    directory.place('operator', 'EVERYTHING');
    directory.place('stranger', ['organization:else']);
    expect([...directory.membersFor(event)].toSorted()).toStrictEqual(['admin', 'operator']);
  });

  test('moves and forgets without a trace', () => {
    const directory = createDirectory<string>();
    directory.place('one', ['site:site', 'organization:org']);
    directory.place('one', 'EVERYTHING');
    expect(directory.size).toStrictEqual({ members: 1, entries: 1 });
    directory.place('one', ['site:else']);
    expect([...directory.membersFor(event)]).toStrictEqual([]);
    directory.remove('one');
    directory.remove('one');
    expect(directory.size).toStrictEqual({ members: 0, entries: 0 });
  });
});
