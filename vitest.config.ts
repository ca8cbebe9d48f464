import { defineConfig } from 'vitest/config';
import { generousMs } from './test/support/deadlines.ts';
import { leftToOtherDays } from './test/support/long-runs.ts';
import { keepTemporaryFilesInMemory } from './test/support/memory-folder.ts';
import { SlowFirst } from './test/support/slow-first.ts';

keepTemporaryFilesInMemory();

/**
 * Tests of code that needs no server: they start no PostgreSQL, no Redis, no browser, no gateway and no
 * process. `test/support/no-servers.ts` makes a file that does so fail. A file that is not listed here belongs
 * to the project `database`.
 */
const unitTests = [
  'test/access/{catalogue,decide,decide-properties,faq,question}.test.ts',
  'test/{bundle,config,deployment,operations,package-lock,projects,rooms,start-screen}.test.ts',
  'test/audit/{csv,ocsf,record,record-schema,retention,timeline,verify-export}.test.ts',
  'test/audit/streams/{endpoint,messages,retry}.test.ts',
  'test/authorization/{event-visibility,logs-read,operations,table,viewer-relations}.test.ts',
  'test/changes/*.test.ts',
  'test/client/{backoff,deadline,imports,recent-ids,reconnect-policy,renewal,retries,token}.test.ts',
  'test/commands/{allowed-actions,recent-refusals,refusals,relayed-consent,session-effects,unassign-tickets}.test.ts',
  'test/events/{adaptive-throttle,delivery-queue,envelope,event-cursor,position,topics}.test.ts',
  'test/grants/*.test.ts',
  'test/graphql/viewer-independence.test.ts',
  'test/graphql/compiled/selection.test.ts',
  'test/graphql/subscriptions/*.test.ts',
  'test/http/{connection-counter,drain-clients,expanded-document,expiry-timer,operation-stream}.test.ts',
  'test/http/{fair-queue,lane-of}.test.ts',
  'test/identity/development-issuer.test.ts',
  'test/notifications/kinds/*.test.ts',
  'test/organizations/*.test.ts',
  'test/proposals/*.test.ts',
  'test/platform/{canonical-json,client-address,country-codes,database-clock,deadline,email-address,embedded-postgres-errors}.test.ts',
  'test/platform/{generational-cache,logger,replica-lag,request-source,shared-reads,size-bounded-cache,visible-text,where-sql}.test.ts',
  'test/{roles,rovo}/*.test.ts',
  'test/sessions/session.test.ts',
  'test/tickets/*.test.ts',
  'test/tour/arguments.test.ts',
  'test/transparency/*.test.ts',
  'test/webhooks/{order,reading}.test.ts',
];

/** Tests that count what their whole process holds, such as its objects and timers: each has a process of its own. */
const isolatedTests = ['test/delivery/cycles.test.ts', 'test/events/{feed,redis-bus,redis-link}.test.ts'];

/** `test/run.ts` sets the seed when it runs the whole suite at its everyday size. */
const { LONG_RUNS_SEED: turn } = process.env;
const otherDays = turn === undefined ? [] : leftToOtherDays(Number(turn));

const usesServers = {
  globalSetup: 'test/support/global-setup.ts',
  // Real processes, sockets and signals.
  pool: 'forks',
} as const;

export default defineConfig({
  test: {
    // Node runs TypeScript as it is: the tests load the same files as production does, untransformed.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    maxWorkers: 5,
    sequence: { sequencer: SlowFirst },
    // Generous, so that a slow machine does not look like a fault. A test of speed asserts it itself.
    testTimeout: generousMs + 60_000,
    hookTimeout: generousMs + 60_000,
    expect: { poll: { timeout: generousMs } },
    setupFiles: 'test/support/set-up.ts',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: unitTests,
          setupFiles: ['test/support/no-servers.ts'],
          pool: 'threads',
          // Loading the code for each file anew would take longer than the tests.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { ...usesServers, name: 'isolated', include: isolatedTests, exclude: otherDays },
      },
      {
        extends: true,
        test: {
          ...usesServers,
          name: 'database',
          include: ['test/**/*.test.ts'],
          exclude: [...unitTests, ...isolatedTests, 'test/{clients,mutation}/**', ...otherDays],
          // Each process runs many files, one after the other, and loads the code once.
          isolate: false,
        },
      },
    ],
  },
});
