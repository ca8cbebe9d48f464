/**
 * What a gateway counts of itself, in Prometheus' format. Rooms above call these functions; none of them throws or waits.
 * Every label has few values, and none of them names a person, an organization or a ticket.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = {
  /** A GraphQL operation was answered. @param outcome `OK`, or the code of its first error */
  operationAnswered(operation: { field: string; type: string }, outcome: string, seconds: number): void;
  /** A command was carried out, or refused. @param outcome `DONE`, or the code of the refusal */
  commandAnswered(operation: string, outcome: string): void;
  /** Something was refused before it was an operation. @param reason a code */
  refused(reason: string): void;
  /** Something has waited for its turn. @param queue what it waited for */
  queued(queue: string, seconds: number): void;
  /** `committed`: from the request to its answer. `told`: from the decision until the last subscriber here was told. */
  revoked(until: 'committed' | 'told', seconds: number): void;
  /** An evaluation was answered, or could not be. @param outcome the code of its answer, or `UNANSWERED` */
  evaluated(outcome: string, count: number): void;
  /** @param by whose code it is. The code of a client is any that it likes. */
  webSocketClosed(by: 'gateway' | 'client', code: number): void;
  mailGivenUp(kind: string): void;
  /** A message of a stream of the audit log was delivered, with so many entries, or not. */
  auditStreamed(outcome: 'DELIVERED' | 'FAILED', entries: number): void;
  /** The audit log was read where it may lag. */
  auditRead(server: 'replica' | 'primary'): void;
  /** Sets gauges at every reading, from functions that read what they show. */
  watch(sources: MetricSources): void;
  /** The metrics as text, and its media type. */
  read(): Promise<{ text: string; contentType: string }>;
  readonly registry: Registry;
};

/** The connections of a pool. */
export type PoolUse = { busy: number; idle: number; abandoned: number; waiting: number };

export type MetricSources = {
  feed: () => { subscriptions: number; queued: number };
  relay: () => { readAt: Date | null; failures: number; unreadable: number };
  pools: Readonly<Record<string, () => PoolUse>>;
  /** How many there are of each kind of work that waits to be done. */
  backlog: () => Promise<Readonly<Record<string, number>>>;
  /** For how many seconds the oldest audit entry has waited for its position. */
  positionLag: () => Promise<number>;
  /** For how many seconds the oldest audit entry with a position has waited for being sealed. Left out: none is sealed. */
  sealingLag?: (() => Promise<number>) | undefined;
  /** By how many seconds the replica is behind at most. Left out: there is none. */
  replicaBehind?: (() => number) | undefined;
  /** The streams of the audit log by state, and of those that do not fail, for how long the oldest entry has waited. */
  auditStreams: () => Promise<{ states: Readonly<Record<string, number>>; lagSeconds: number }>;
};

/** More values of a label than the code has are counted as `other`. */
const mostValues = 300;

/** With which clients close WebSockets: those of the protocol, and of graphql-ws. */
const closeCodesOfClients = new Set([
  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 4004, 4005, 4400,
]);

/** Seconds. */
const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const operations = new Counter({
    name: 'latchkey_operations_total',
    help: 'GraphQL operations answered, by the field of their root and by OK or the code of their first error.',
    labelNames: ['field', 'outcome'],
    registers,
  });
  const operationSeconds = new Histogram({
    name: 'latchkey_operation_duration_seconds',
    help: 'Time from a GraphQL request to its answer.',
    labelNames: ['type'],
    buckets: durations,
    registers,
  });
  const commands = new Counter({
    name: 'latchkey_commands_total',
    help: 'Commands, by operation and by DONE or the code of the refusal.',
    labelNames: ['operation', 'outcome'],
    registers,
  });
  const refusals = new Counter({
    name: 'latchkey_refused_total',
    help: 'Requests, operations and connections that were refused, by code.',
    labelNames: ['reason'],
    registers,
  });
  const queueSeconds = new Histogram({
    name: 'latchkey_queue_duration_seconds',
    help: 'Time that work has waited for its turn, by what it waited for.',
    labelNames: ['queue'],
    buckets: durations,
    registers,
  });
  const revocationSeconds = new Histogram({
    name: 'latchkey_revocation_duration_seconds',
    help: 'Time from the request of a revocation to its answer (committed), and from its decision until the last subscriber of this gateway was told (told).',
    labelNames: ['until'],
    buckets: durations,
    registers,
  });
  const evaluations = new Counter({
    name: 'latchkey_evaluations_total',
    help: 'Evaluations of support actions, by ALLOWED, the code of the reason why not, or UNANSWERED.',
    labelNames: ['outcome'],
    registers,
  });
  const webSocketsClosed = new Counter({
    name: 'latchkey_websockets_closed_total',
    help: 'WebSockets that were closed, by who said so first (gateway, client) and by the close code; 1006: the connection was lost or cut.',
    labelNames: ['by', 'code'],
    registers,
  });
  const mailsGivenUp = new Counter({
    name: 'latchkey_mails_given_up_total',
    help: 'Mails that were given up after the last attempt, by kind.',
    labelNames: ['kind'],
    registers,
  });
  const messages = new Counter({
    name: 'latchkey_audit_stream_messages_total',
    help: 'Messages of streams of the audit log that this gateway has sent, by DELIVERED or FAILED.',
    labelNames: ['outcome'],
    registers,
  });
  const entriesStreamed = new Counter({
    name: 'latchkey_audit_stream_entries_total',
    help: 'Entries of the audit log that this gateway has delivered to endpoints.',
    registers,
  });
  const auditReads = new Counter({
    name: 'latchkey_audit_reads_total',
    help: 'Reads of the audit log that may lag, by the server that has answered: replica or primary. None without a replica.',
    labelNames: ['server'],
    registers,
  });
  const valueFor = boundedValues();

  return {
    operationAnswered({ field, type }, outcome, seconds) {
      operations.inc({ field: valueFor('field', field), outcome: valueFor('outcome', outcome) });
      operationSeconds.observe({ type }, seconds);
    },
    commandAnswered: (operation, outcome) =>
      commands.inc({ operation: valueFor('operation', operation), outcome: valueFor('outcome', outcome) }),
    refused: (reason) => refusals.inc({ reason: valueFor('reason', reason) }),
    queued: (queue, seconds) => queueSeconds.observe({ queue: valueFor('queue', queue) }, seconds),
    revoked: (until, seconds) => revocationSeconds.observe({ until }, seconds),
    evaluated: (outcome, count) => evaluations.inc({ outcome: valueFor('evaluation', outcome) }, count),
    webSocketClosed: (by, code) =>
      webSocketsClosed.inc({ by, code: by === 'gateway' || closeCodesOfClients.has(code) ? code : 'other' }),
    auditStreamed(outcome, entries) {
      messages.inc({ outcome });
      if (outcome === 'DELIVERED') entriesStreamed.inc(entries);
    },
    auditRead: (server) => auditReads.inc({ server }),
    mailGivenUp: (kind) => mailsGivenUp.inc({ kind: valueFor('kind', kind) }),
    watch: (sources) => watch(registers, sources),
    read: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
    registry,
  };
}

/** Gauges of prom-client whose names say that they are counters: `promtool check metrics` complains of them. */
const namedAsCounters = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/** Adds those of the process: memory, processor time, the event loop. They cost a little as long as the process lives. */
export function measureProcess({ registry }: Metrics): void {
  collectDefaultMetrics({ register: registry });
  for (const name of namedAsCounters) registry.removeSingleMetric(name);
}

function watch(
  registers: Registry[],
  { feed, relay, pools, backlog, auditStreams, ...lags }: MetricSources,
): void {
  const gauge = (name: string, help: string, collect: (gauge: Gauge) => void) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        collect(this);
      },
    });
  gauge('latchkey_subscriptions', 'Subscriptions of this gateway.', (own) => own.set(feed().subscriptions));
  gauge('latchkey_subscription_events_queued', 'Events that wait for a subscriber of this gateway.', (own) =>
    own.set(feed().queued),
  );
  gauge('latchkey_relay_lag_seconds', 'Time since this gateway has read the events.', (own) => {
    const { readAt } = relay();
    own.set(readAt === null ? 0 : Math.max(0, (Date.now() - readAt.getTime()) / 1_000));
  });
  gauge('latchkey_relay_failures', 'Reads of the events that have failed in a row.', (own) =>
    own.set(relay().failures),
  );
  gauge('latchkey_relay_unreadable_events', 'Events that were skipped since the start.', (own) =>
    own.set(relay().unreadable),
  );
  new Gauge({
    name: 'latchkey_database_connections',
    help: 'Connections by pool: busy, idle, or abandoned, on which the server still works.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, use] of Object.entries(pools)) {
        const { busy, idle, abandoned } = use();
        for (const [state, count] of Object.entries({ busy, idle, abandoned }))
          this.set({ pool, state }, count);
      }
    },
  });
  new Gauge({
    name: 'latchkey_database_waiting',
    help: 'Transactions and statements that wait for a connection, by pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, use] of Object.entries(pools)) this.set({ pool }, use().waiting);
    },
  });
  new Gauge({
    name: 'latchkey_audit_position_lag_seconds',
    help: 'Time for which the oldest entry of the audit log without a position has waited for it; of all gateways together. NaN: it cannot be read.',
    registers,
    async collect() {
      this.set(await lags.positionLag().catch(() => Number.NaN));
    },
  });
  const { replicaBehind } = lags;
  if (replicaBehind !== undefined)
    gauge(
      'latchkey_database_replica_behind_seconds',
      'By how many seconds the replica is behind the primary at most. NaN: it is not known, or the replica is not fit to be read.',
      (own) => own.set(replicaBehind()),
    );
  const { sealingLag } = lags;
  if (sealingLag !== undefined)
    new Gauge({
      name: 'latchkey_audit_sealing_lag_seconds',
      help: 'Time for which the oldest entry of the audit log that has a position has waited for being sealed; of all gateways together. NaN: it cannot be read.',
      registers,
      async collect() {
        this.set(await sealingLag().catch(() => Number.NaN));
      },
    });
  const streams = new Gauge({
    name: 'latchkey_audit_streams',
    help: 'Streams of the audit log to endpoints by state: active, of these failing, paused, disabled; of all gateways together. NaN: it cannot be read.',
    labelNames: ['state'],
    registers,
  });
  new Gauge({
    name: 'latchkey_audit_stream_lag_seconds',
    help: 'Time for which the oldest entry has waited for a stream of the audit log that is active and does not fail; of all gateways together. NaN: it cannot be read.',
    registers,
    async collect() {
      const read = await auditStreams().catch(() => null);
      for (const state of ['active', 'failing', 'paused', 'disabled'])
        streams.set({ state }, read?.states[state] ?? Number.NaN);
      this.set(read?.lagSeconds ?? Number.NaN);
    },
  });
  let kindsOfWork: string[] = [];
  new Gauge({
    name: 'latchkey_backlog',
    help: 'What waits to be done in the background, by kind; of all gateways together. NaN: it cannot be read.',
    labelNames: ['work'],
    registers,
    async collect() {
      const counts = await backlog().catch(() => null);
      if (counts !== null) kindsOfWork = Object.keys(counts);
      for (const work of kindsOfWork) this.set({ work }, counts?.[work] ?? Number.NaN);
    },
  });
}

/** Keeps the values of each label few, whatever is given. */
function boundedValues(): (label: string, value: string) => string {
  const known = new Map<string, Set<string>>();
  return (label, value) => {
    const values = known.get(label) ?? new Set();
    known.set(label, values);
    if (values.size < mostValues) values.add(value);
    return values.has(value) ? value : 'other';
  };
}
