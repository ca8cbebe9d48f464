/**
 * What one gateway admits of each account and each organization, over all transports together: so many operations that run
 * or wait, at such a rate, and so many at a time. Work that ends access has budgets and turns of its own.
 */
import { mayEndAccess } from '../../authorization/ends-access.ts';
import type { AdmissionConfig } from '../../config/config.ts';
import { GenerationalCache } from '../../platform/generational-cache.ts';
import { FairQueue, type Share } from './fair-queue.ts';
import type { Account, Lane, Turn } from './lane.ts';
import { Place } from './place.ts';
import { createRate, type Rate } from './rate.ts';
import type { RateStore } from './rate-store.ts';
import { type Refused, tooFast, tooMany } from './refusal.ts';

export type AdmissionLimits = AdmissionConfig & {
  readonly operationsWaiting: number;
  readonly turnMs: number;
};

/** What a client sent. */
export type Asked = { query?: string | null | undefined; operationName?: string | null | undefined };

export type Admission = {
  /** A place for an operation of this bearer, counted until its `end`; or why there is none. Reads no document. */
  admit(bearer: string, asked: Asked): Promise<Place | Refused>;
  dispose(): void;
};

/** How many operations run at a time. */
export type RunningOperations = Readonly<Record<Turn, number>>;

const unknown: Account = { isService: false, organizations: [] };
/** Accounts that are kept, of which twice as many may be in memory. */
const keptAccounts = 10_000;

export function createAdmission(
  limits: AdmissionLimits,
  running: RunningOperations,
  store: RateStore | null,
  /** Called when an operation has its turn, or has waited for it too long. */
  onWaited: (turn: Turn, seconds: number) => void = () => undefined,
): Admission {
  const accounts = new GenerationalCache<string, Account>();
  const allInFlight: Record<Lane, Map<string, number>> = { ORDINARY: new Map(), ENDING: new Map() };
  const queues: Record<Turn, FairQueue> = {
    ORDINARY: queueOf(limits, running.ORDINARY),
    ENDING: queueOf(limits, running.ENDING),
    LARGE: queueOf(limits, running.LARGE),
  };
  const rates = {
    account: createRate('account', limits.ratePerAccount, store),
    service: createRate('service', limits.ratePerServiceAccount, store),
    organization: createRate('organization', limits.ratePerOrganization, store),
  };

  async function enter(turn: Turn, share: Share, whenOver: (leave: () => void) => void) {
    const since = performance.now();
    const outcome = await queues[turn].enter(share, whenOver);
    if (outcome === 'TURN' || outcome === 'WAITED_TOO_LONG')
      onWaited(turn, (performance.now() - since) / 1_000);
    return outcome;
  }

  /** Counts one in flight and at its rate, or says why not. */
  async function take(lane: Lane, share: Share, { isService }: Account): Promise<Refused | null> {
    const inFlight = allInFlight[lane];
    const { operationsPerServiceAccount, operationsPerAccount, operationsPerOrganization } = limits;
    const ofAccount = isService ? operationsPerServiceAccount : operationsPerAccount;
    if ((inFlight.get(share.account) ?? 0) >= ofAccount) return tooMany('your account', ofAccount);
    for (const organization of share.organizations)
      if ((inFlight.get(organization) ?? 0) >= operationsPerOrganization)
        return tooMany('your organization', operationsPerOrganization);
    count(inFlight, share, 1);
    const refused = await findTooFast(lane, share, isService);
    if (refused !== null) count(inFlight, share, -1);
    return refused;
  }

  async function findTooFast(lane: Lane, share: Share, isService: boolean): Promise<Refused | null> {
    const ofAccount = isService ? limits.ratePerServiceAccount : limits.ratePerAccount;
    const asked: [Rate, string, string, number][] = [
      [isService ? rates.service : rates.account, share.account, 'your account', ofAccount],
      ...share.organizations.map((id): [Rate, string, string, number] => [
        rates.organization,
        id,
        'your organization',
        limits.ratePerOrganization,
      ]),
    ];
    for (const [rate, key, whose, perSecond] of asked) {
      const ms = await rate.take(`${lane} ${key}`);
      if (ms !== null) return tooFast(whose, perSecond, ms);
    }
    return null;
  }

  return {
    async admit(bearer, { query, operationName }) {
      const account = accounts.get(bearer) ?? unknown;
      const share: Share = { account: bearer, organizations: account.organizations };
      const lane: Lane = mayEndAccess(query ?? '') ? 'ENDING' : 'ORDINARY';
      const refused = await take(lane, share, account);
      if (refused !== null) return refused;
      return new Place(lane, operationName ?? null, {
        take: (other) => take(other, share, account),
        giveBack: (taken) => count(allInFlight[taken], share, -1),
        enter: (turn, whenOver) => enter(turn, share, whenOver),
        leave: (turn) => queues[turn].leave(share),
        identify: (known) => {
          accounts.set(bearer, known);
          if (accounts.size > keptAccounts) accounts.rotate();
        },
      });
    },
    dispose() {
      for (const rate of Object.values(rates)) rate.dispose();
    },
  };
}

function queueOf(limits: AdmissionLimits, running: number): FairQueue {
  return new FairQueue({
    running,
    runningPerAccount: Math.max(1, Math.ceil(running * shareOfAccount)),
    runningPerOrganization: Math.max(1, Math.ceil(running * shareOfOrganization)),
    waiting: limits.operationsWaiting,
    waitMs: limits.turnMs,
  });
}

/** The parts of what runs at a time that one account, and one organization, may use. */
const shareOfAccount = 0.3;
const shareOfOrganization = 0.6;

function count(counts: Map<string, number>, { account, organizations }: Share, by: 1 | -1): void {
  for (const key of [account, ...organizations]) {
    const left = (counts.get(key) ?? 0) + by;
    if (left === 0) counts.delete(key);
    else counts.set(key, left);
  }
}
