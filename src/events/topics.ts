import type { DeliverableEvent } from './envelope.ts';

/**
 * What an event is about, as a key. A subscription names the topics outside of which it has nothing to
 * hear, so that an event costs only those it may concern. Topics are no authorization: that is asked for
 * every event besides.
 */
export type Topic = `${'organization' | 'site' | 'ticket' | 'reporter' | 'engineer'}:${string}`;

/** `EVERYTHING`: no topic would be sure to contain what the subscription may hear. */
export type Topics = readonly Topic[] | 'EVERYTHING';

export function topicsOf({ audience, ticketId }: DeliverableEvent): Topic[] {
  return [
    `organization:${audience.organizationId}`,
    `site:${audience.siteId}`,
    `ticket:${ticketId}`,
    `reporter:${audience.reporterId}`,
    ...audience.engineerIds.map((id): Topic => `engineer:${id}`),
  ];
}

export function concerns(topics: Topics, event: DeliverableEvent): boolean {
  return topics === 'EVERYTHING' || topicsOf(event).some((topic) => topics.includes(topic));
}

/** Who is to be considered for an event, found by its topics and not by asking everyone. */
export type Directory<Member> = {
  /** Enters a member, or moves it to other topics. */
  place(member: Member, topics: Topics): void;
  remove(member: Member): void;
  /** Everyone whose topics contain the event, each once. Changes with the directory: a copy costs, for each event. */
  membersFor(event: DeliverableEvent): ReadonlySet<Member>;
  /** Members and, in total, their entries. */
  readonly size: { members: number; entries: number };
};

export function createDirectory<Member>(): Directory<Member> {
  const topicsOfMember = new Map<Member, Topics>();
  const membersByTopic = new Map<Topic, Set<Member>>();
  const everywhere = new Set<Member>();

  function remove(member: Member): void {
    const topics = topicsOfMember.get(member) ?? [];
    topicsOfMember.delete(member);
    everywhere.delete(member);
    if (topics === 'EVERYTHING') return;
    for (const topic of topics) {
      const members = membersByTopic.get(topic);
      members?.delete(member);
      if (members?.size === 0) membersByTopic.delete(topic);
    }
  }

  return {
    place(member, topics) {
      remove(member);
      topicsOfMember.set(member, topics);
      if (topics === 'EVERYTHING') {
        everywhere.add(member);
        return;
      }
      for (const topic of topics) {
        const members = membersByTopic.get(topic);
        if (members === undefined) membersByTopic.set(topic, new Set([member]));
        else members.add(member);
      }
    },
    remove,
    membersFor(event) {
      let found: ReadonlySet<Member> = everywhere;
      for (const topic of topicsOf(event)) {
        const members = membersByTopic.get(topic);
        if (members !== undefined) found = found.size === 0 ? members : new Set([...found, ...members]);
      }
      return found;
    },
    get size() {
      let entries = everywhere.size;
      for (const members of membersByTopic.values()) entries += members.size;
      return { members: topicsOfMember.size, entries };
    },
  };
}
