/**
 * What an event is about, as a key. A subscription names the topics outside of which no event concerns it, so
 * that an event is offered only to subscriptions it may concern. Topics authorize nothing: the viewer's right to
 * the event is checked as well.
 */
export type Topic = `${string}:${string}`;

/** `EVERYTHING`: no list of topics is sure to contain every event that the subscription may receive. */
export type Topics = readonly Topic[] | 'EVERYTHING';

/** Whether an event about `about` is within the topics. */
export function concerns(topics: Topics, about: readonly Topic[]): boolean {
  return topics === 'EVERYTHING' || about.some((topic) => topics.includes(topic));
}

/** Finds the subscribers of an event by its topics, without looking at all subscribers. */
export type TopicIndex<Subscriber> = {
  /** Adds a subscriber, or replaces its topics. */
  set(subscriber: Subscriber, topics: Topics): void;
  delete(subscriber: Subscriber): void;
  /**
   * Every subscriber with one of the topics that an event is about, each once. The result may change with the index:
   * a copy for each event would cost too much.
   */
  match(about: readonly Topic[]): ReadonlySet<Subscriber>;
  /** How many subscribers there are, and how many entries they have in total. */
  readonly size: { subscribers: number; entries: number };
};

export function createTopicIndex<Subscriber>(): TopicIndex<Subscriber> {
  const topicsBySubscriber = new Map<Subscriber, Topics>();
  const subscribersByTopic = new Map<Topic, Set<Subscriber>>();
  const toEverything = new Set<Subscriber>();

  function remove(subscriber: Subscriber): void {
    const topics = topicsBySubscriber.get(subscriber) ?? [];
    topicsBySubscriber.delete(subscriber);
    toEverything.delete(subscriber);
    if (topics === 'EVERYTHING') return;
    for (const topic of topics) {
      const subscribers = subscribersByTopic.get(topic);
      subscribers?.delete(subscriber);
      if (subscribers?.size === 0) subscribersByTopic.delete(topic);
    }
  }

  return {
    set(subscriber, topics) {
      remove(subscriber);
      topicsBySubscriber.set(subscriber, topics);
      if (topics === 'EVERYTHING') {
        toEverything.add(subscriber);
        return;
      }
      for (const topic of topics) {
        const subscribers = subscribersByTopic.get(topic);
        if (subscribers === undefined) subscribersByTopic.set(topic, new Set([subscriber]));
        else subscribers.add(subscriber);
      }
    },
    delete: remove,
    match(about) {
      let found: ReadonlySet<Subscriber> = toEverything;
      for (const topic of about) {
        const subscribers = subscribersByTopic.get(topic);
        if (subscribers !== undefined)
          found = found.size === 0 ? subscribers : new Set([...found, ...subscribers]);
      }
      return found;
    },
    get size() {
      let entries = toEverything.size;
      for (const subscribers of subscribersByTopic.values()) entries += subscribers.size;
      return { subscribers: topicsBySubscriber.size, entries };
    },
  };
}
