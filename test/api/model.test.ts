/**
 * Random people send random commands to the API and to a model of it. After every command the answer, the whole
 * state, the audit log and the events must agree.
 *
 * `MODEL_RUNS=20000` runs more sequences. A failure prints the variables that repeat it.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withMachineClock } from '../support/machine-clock.ts';
import { bySize } from '../support/size.ts';
import type { Model, RoleHeld } from './model.ts';
import { aPolicy, commands, opening, outcomes } from './model-commands.ts';
import { beginning, startLane } from './model-lane.ts';

const everydayRuns = 60;
const fullRuns = 2_000;
const runs = Number(process.env['MODEL_RUNS'] ?? bySize(everydayRuns, fullRuns));
const lanes = 2;
const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 2 ** 31);
const path = process.env['MODEL_PATH'];
const replayPath = process.env['MODEL_REPLAY'];

const roles: RoleHeld[] = [
  { who: 'reportingAdmin', role: 'PRODUCT_ADMIN', site: 'one', product: 'jira@one' },
  { who: 'organizationAdmin', role: 'ORGANIZATION_ADMIN' },
  { who: 'siteAdmin', role: 'SITE_ADMIN', site: 'one' },
  { who: 'userAccessAdmin', role: 'USER_ACCESS_ADMIN', site: 'one' },
  { who: 'jiraAdmin', role: 'PRODUCT_ADMIN', site: 'one', product: 'jira@one' },
  { who: 'confluenceAdmin', role: 'PRODUCT_ADMIN', site: 'one', product: 'confluence@one' },
  { who: 'jiraAdminElsewhere', role: 'PRODUCT_ADMIN', site: 'two', product: 'jira@two' },
  { who: 'trustedUser', role: 'TRUSTED_USER', site: 'one', product: 'jira@one' },
  { who: 'billingAdmin', role: 'BILLING_ADMIN', site: 'one', product: 'jira@one' },
  { who: 'technicalContact', role: 'TECHNICAL_CONTACT', site: 'one' },
  { who: 'unsyncedAdmin', role: 'PRODUCT_ADMIN', site: 'one', product: 'jira@one' },
  { who: 'guardAdmin', role: 'GUARD_ADMIN' },
  { who: 'guardAndOrganizationAdmin', role: 'GUARD_ADMIN', site: 'one' },
  { who: 'guardAndOrganizationAdmin', role: 'ORGANIZATION_ADMIN' },
].map(
  (held) =>
    ({
      ...{ ...held, since: beginning },
      ...{ direct: held.who !== 'unsyncedAdmin', synced: held.who !== 'unsyncedAdmin' },
    }) as RoleHeld,
);

const aSite = fc
  .record({
    experience: fc.constantFrom('CENTRALIZED' as const, 'ORIGINAL' as const),
    active: fc.oneof(
      { weight: 8, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    restricted: fc.boolean(),
    policy: fc.oneof(
      {
        weight: 2,
        arbitrary: fc.constant({
          waitSeconds: 1_209_600,
          maxGrantSeconds: null,
          samePersonMayApproveTwice: false,
        }),
      },
      { weight: 1, arbitrary: aPolicy },
    ),
  })
  .map(({ policy, ...site }) => ({ ...site, ...policy }));

/** A customer whose sites have either experience and may be restricted; some customers lack Guard. */
const aBeginning: fc.Arbitrary<Model> = fc
  .record({ one: aSite, two: aSite, hasGuard: fc.integer({ min: 0, max: 8 }).map((drawn) => drawn > 0) })
  .map(({ one, two, hasGuard }) => {
    const sites = hasGuard
      ? { one, two }
      : { one: { ...one, restricted: false }, two: { ...two, restricted: false } };
    return {
      ...{ now: beginning, hasGuard, sites },
      licensed: { 'jira@one': true, 'confluence@one': true, 'jira@two': true },
      ...{
        roles,
        tickets: [],
        grants: [],
        sessions: [],
        changes: [],
        proposals: [],
        adminLostAt: null,
        entries: [],
        events: [],
      },
    };
  });

async function driveLane(
  seedOfLane: number,
  numRuns: number,
  machines?: [number, ...number[]],
): Promise<void> {
  await using lane = await startLane(machines);
  const sequence = fc.commands(commands, {
    maxCommands: 12,
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  });
  const property = fc.asyncProperty(aBeginning, opening, sequence, async (start, first, then) => {
    const model = structuredClone(start);
    const reality = await lane.begin(model);
    await fc.asyncModelRun(() => ({ model, real: reality }), [...first, ...then]);
  });
  const details = await fc.check(property, {
    ...{ seed: seedOfLane, numRuns, endOnFailure: false },
    ...(path === undefined ? {} : { path }),
  });
  if (!details.failed) return await lane.expectDocumentedRecords();
  const again = `MODEL_SEED=${details.seed} MODEL_PATH=${details.counterexamplePath}`;
  throw new Error(
    `To see it again: ${again} MODEL_REPLAY=<replayPath of the counterexample>\n${await fc.asyncDefaultReportMessage(details)}`,
    { cause: details.errorInstance },
  );
}

test(
  `the API agrees with the model: ${runs} sequences, MODEL_SEED=${seed}`,
  async () => {
    const asked = path === undefined ? Array.from({ length: lanes }, (_, lane) => seed + lane) : [seed];
    await Promise.all(asked.map((each) => driveLane(each, Math.ceil(runs / asked.length))));
    if (process.env['MODEL_OUTCOMES'] !== undefined) process.stdout.write(`${report()}\n`);
    // Without these outcomes the random commands would not test what they should. A short run misses about a third of
    // them: two thirds cannot be chance.
    if (runs < everydayRuns || path !== undefined) return;
    const missed = mustHappen.filter((outcome) => !outcomes.has(outcome));
    expect(missed.length, missed.join()).toBeLessThanOrEqual(
      runs < fullRuns ? (mustHappen.length * 2) / 3 : 0,
    );
  },
  600_000 + runs * 500,
);

const day = 24 * 60 * 60 * 1_000;
const wrongClocks = [-day, day, -31 * day, 31 * day];
const wrongRuns = Math.ceil(runs / bySize(10, 4));

test(
  `gateways whose machines have wrong clocks change no outcome: ${wrongRuns} sequences, MODEL_SEED=${seed}`,
  async () => {
    withMachineClock();
    const some = fc.sample(fc.shuffledSubarray(wrongClocks, { minLength: 2 }), { seed, numRuns: 1 })[0];
    await driveLane(seed, wrongRuns, [0, ...bySize(some ?? [], wrongClocks)]);
  },
  600_000 + runs * 500,
);

/** Each is expected well over a dozen times in 2,000 sequences. */
const mustHappen = [
  ...[
    'done',
    'ALREADY_ACTIVE',
    'ALREADY_APPROVED',
    'ALREADY_OVER',
    'NOT_ELIGIBLE',
    'NOT_FOUND',
    'VERSION_CONFLICT',
  ].map((code) => `approveDataAccess: ${code}`),
  ...['EXPIRES_AT_IN_THE_PAST', 'EXPIRES_AT_BEYOND_POLICY'].map((code) => `approveDataAccess: ${code}`),
  ...['done', 'ALREADY_OVER', 'NOT_ELIGIBLE'].map((code) => `approveDataAccessInBulk: ${code}`),
  ...['done', 'ALREADY_OVER', 'NOT_APPROVED_YET'].map((code) => `revokeDataAccessInBulk: ${code}`),
  ...['done', 'ALREADY_OVER', 'ALREADY_ACTIVE', 'NOT_ELIGIBLE'].map((code) => `denyDataAccess: ${code}`),
  ...['done', 'ALREADY_OVER', 'NOT_APPROVED_YET', 'NOT_ELIGIBLE'].map((code) => `revokeDataAccess: ${code}`),
  ...['done', 'ALREADY_ACTIVE', 'NOT_AWAITING_GUARD', 'APPROVAL_LAPSED', 'FORBIDDEN'].map(
    (code) => `approveGuardRequest: ${code}`,
  ),
  ...['done', 'NOT_AWAITING_GUARD'].map((code) => `denyGuardRequest: ${code}`),
  ...['done', 'ALREADY_ACTIVE', 'ALREADY_OVER'].map((code) => `withdrawDataAccessRequest: ${code}`),
  ...['done', 'NOT_ACTIVE', 'ALREADY_OVER'].map((code) => `releaseDataAccess: ${code}`),
  ...['done', 'ALREADY_REQUESTED', 'SITE_DEACTIVATED', 'NOT_FOUND'].map(
    (code) => `requestDataAccess: ${code}`,
  ),
  ...['closeTicket', 'createTicket', 'assignTicket', 'updateTicketStatus'].map((name) => `${name}: done`),
  ...['deactivateSite', 'reactivateSite', 'setSupportAccessRestrictions'].map((name) => `${name}: done`),
  ...['setSupportAccessPolicy', 'licenseProduct', 'unlicenseProduct'].map((name) => `${name}: done`),
  ...['assignRole', 'removeRole', 'triggerScimSync', 'the sweep', 'a look'].map((name) => `${name}: done`),
  ...['a look: nothing', 'a repetition: done'],
  ...['done', 'NOT_ACTIVE', 'ALREADY_OVER', 'SESSION_ALREADY_OPEN', 'FORBIDDEN'].map(
    (code) => `startSupportSession: ${code}`,
  ),
  ...['done', 'NOT_FOUND'].map((code) => `endSupportSession: ${code}`),
  ...['done', 'SITE_DEACTIVATED', 'VALID_UNTIL_IN_THE_PAST', 'VALID_UNTIL_BEYOND_LIMIT', 'NOT_FOUND'].map(
    (code) => `requestChange: ${code}`,
  ),
  ...['done', 'NOT_ELIGIBLE', 'ALREADY_CONSENTED', 'CHANGE_REQUEST_OVER', 'VERSION_CONFLICT'].map(
    (code) => `consentToChange: ${code}`,
  ),
  ...['done', 'NOT_CONSENTED_YET', 'CHANGE_REQUEST_OVER'].map((code) => `revokeChangeConsent: ${code}`),
  ...['refuseChange: done', 'withdrawChangeRequest: done', 'recordChangeResult: CHANGE_NOT_IN_PROGRESS'],
  ...['done', 'FORBIDDEN', 'CHANGE_NOT_WAITING'].map((code) => `confirmProposedChange: ${code}`),
  ...['declineProposedChange', 'withdrawProposedChange'].map((name) => `${name}: done`),
];

function report(): string {
  return [...outcomes]
    .sort()
    .map(([outcome, times]) => `${String(times).padStart(7)} ${outcome}`)
    .join('\n');
}
