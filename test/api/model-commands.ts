/** The random commands: each runs against the gateway and the model, and both are compared afterwards. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Json } from '../support/gateway.ts';
import {
  type Answer,
  asOfNow,
  everybody,
  expiryOf,
  type Grant,
  grantAt,
  hasApproved,
  isMember,
  type Model,
  members,
  obstaclesOf,
  type Policy,
  type RoleHeld,
  type State,
  seesGrants,
  seesTicket,
  sweep,
  ticketAt,
  type Who,
} from './model.ts';
import {
  type ChangeAction,
  asOfNow as changeAsOfNow,
  changeAt,
  decideOnChange,
  expireChanges,
  requestChange,
} from './model-changes.ts';
import {
  answerPredicted,
  answerSeen,
  answerToRepetition,
  changeSeen,
  compareAll,
  globalId,
  grantSeen,
} from './model-comparison.ts';
import { decideOnGrant, type GrantDecision, inBulk, request } from './model-grants.ts';
import { type Answered, type Input, products, type Reality } from './model-lane.ts';
import { type Settling, settleDue, settleProposal } from './model-proposals.ts';
import { endDue, finishSession, seesSession, startSession } from './model-sessions.ts';
import {
  deactivate,
  giveRole,
  license,
  reactivate,
  restrict,
  setPolicy,
  syncRoles,
  takeRole,
  unlicense,
} from './model-sites.ts';
import { assign, close, createTicket, reopen, updateStatus } from './model-tickets.ts';
import { onTicket, type Product, type Site, siteOf } from './model-who-may-grant.ts';

type Command = fc.AsyncCommand<Model, Reality>;

/** How often each command had each outcome, over all sequences of this process. */
export const outcomes: Map<string, number> = new Map();

function count(name: string, answer: Answer): void {
  const each = 'each' in answer ? answer.each : [answer];
  for (const one of each) {
    const outcome = `${name}: ${'refused' in one ? one.refused : 'done'}`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
}

type Mutation = {
  who: Who;
  name: string;
  answers: Answered;
  keyed?: boolean;
  /** False while the model has nothing that the command could act on. */
  possible?: (model: Model) => boolean;
  /** Called before the model changes. */
  input: (model: Model, reality: Reality) => Input;
  predict: (model: Model) => Answer;
  /** Whether the audit entries about different objects may come in any order. */
  anyOrder?: boolean;
  description?: string;
};

const selections: Record<Answered, string> = {
  Ticket: 'id status version',
  Grant: 'id state version endReason expiresAt endedAt',
  ChangeRequest: 'id state version endReason endedAt',
  SupportSession: 'id state endReason endedAt',
  Site: 'id',
  Product: 'id',
  RoleAssignment: 'id',
  Organization: 'id',
  ProposedChange: 'id',
  BulkPayload: `results { result { __typename ... on Grant { id state version endReason expiresAt endedAt }
                          ... on Error { code } ... on NotEligibleError { eligibility { obstacles { code } } } } }`,
};

async function send(reality: Reality, who: Who, name: string, answers: Answered, input: object) {
  const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const document = `mutation Do($input: ${capitalized}Input!) { result: ${name}(input: $input) {
    __typename ... on ${answers} { ${selections[answers]} }
    ... on Error { code ... on NotEligibleError { eligibility { obstacles { code } } } } } }`;
  const { result } = await reality.lane.people[who].ask(document, { input });
  return result;
}

let keys = 0;

function mutation(spec: Mutation): Command {
  const { who, name, answers } = spec;
  return {
    check: (model) => spec.possible?.(model) ?? true,
    async run(model, reality) {
      keys += 1;
      const key = spec.keyed === true ? { idempotencyKey: `key-${keys}` } : {};
      const input = { ...spec.input(model, reality), ...key };
      const answer = await send(reality, who, name, answers, input);
      const predicted = spec.predict(model);
      count(name, predicted);
      await compareAll(model, reality, spec.anyOrder ?? false);
      expect(answerSeen(answer)).toEqual(answerPredicted(model, reality, predicted));
      if (spec.keyed === true)
        reality.repeatable = {
          who,
          name,
          answers,
          input,
          answerLater: answerToRepetition(model, reality, predicted),
        };
    },
    toString: () => `${who}: ${name}${spec.description === undefined ? '' : ` ${spec.description}`}`,
  };
}

// People and objects.

const anybody = fc.constantFrom(...everybody);
/** Mostly one of these people, sometimes anybody. */
const mostly = (...likely: Who[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...likely) }, { weight: 1, arbitrary: anybody });
const aSite: fc.Arbitrary<Site> = fc.constantFrom('one', 'one', 'one', 'two');
const aProduct: fc.Arbitrary<Product> = fc.constantFrom(...products, 'jira@one', 'jira@one');
const anIndex = fc.nat({ max: 6 });
const rarely = fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0);

const grantors: Who[] = [
  'jiraAdmin',
  'organizationAdmin',
  'billingAdmin',
  'guardAndOrganizationAdmin',
  'guardAndOrganizationAdmin',
  'siteAdmin',
];
const hasTickets = (model: Model) => model.tickets.length > 0;
const hasGrants = (model: Model) => model.grants.length > 0;
/** Draws the newest most often: small numbers count from the end. */
const pick = (length: number, drawn: number) => length - 1 - (drawn % length);
const aTicket = (model: Model, drawn: number) => pick(model.tickets.length, drawn);
const aGrant = (model: Model, drawn: number) => pick(model.grants.length, drawn);
const ticketId = ({ tickets }: Reality, index: number) => globalId('Ticket', tickets[index]);
const grantId = ({ grants }: Reality, index: number) => globalId('Grant', grants[index]);

// Tickets.

const createTickets: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('reporter', 'reportingAdmin', 'ticketing', 'organizationAdmin', 'jiraAdmin'),
    product: aProduct,
    ticked: fc.boolean(),
    named: fc.constantFrom<Who | null>(null, 'reporter', 'reportingAdmin', 'stranger'),
    keyed: rarely,
  })
  .map(({ who, product, ticked, named, keyed }) => {
    const reporter = who === 'ticketing' ? named : null;
    return mutation({
      ...{ who, name: 'createTicket', answers: 'Ticket', keyed },
      description: `about ${product}, ${ticked ? 'ticked' : 'unticked'}${reporter === null ? '' : ` for ${reporter}`}`,
      input: (_, { lane, products: ids }) => ({
        productId: globalId('Product', ids[product]),
        summary: 'It is slow',
        grantDataAccess: ticked,
        ...(reporter === null ? {} : { reporterId: globalId('User', lane.accounts[reporter]) }),
      }),
      predict: (model) => createTicket(model, who, product, ticked, reporter),
    });
  });

const assigningBy = (who: fc.Arbitrary<Who>): fc.Arbitrary<Command> =>
  fc
    .record({
      who,
      drawn: anIndex,
      engineer: fc.constantFrom('engineer', 'engineer', 'engineer', 'engineer', 'otherEngineer', null),
      keyed: rarely,
    })
    .map(({ who: by, drawn, engineer, keyed }) =>
      mutation({
        ...{ who: by, name: 'assignTicket', answers: 'Ticket', keyed, possible: hasTickets },
        description: `to ${engineer} (${drawn})`,
        input: (model, reality) => ({
          ticketId: ticketId(reality, aTicket(model, drawn)),
          engineerId: engineer === null ? null : globalId('SupportEngineer', reality.lane.accounts[engineer]),
        }),
        predict: (model) => assign(model, by, aTicket(model, drawn), engineer),
      }),
    );

const assignTickets = assigningBy(mostly('operator', 'ticketing'));

const changeTickets: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('reporter', 'reportingAdmin', 'ticketing', 'engineer'),
    drawn: anIndex,
    name: fc.constantFrom('closeTicket', 'reopenTicket'),
    keyed: rarely,
  })
  .map(({ who, drawn, name, keyed }) =>
    mutation({
      ...{ who, name, answers: 'Ticket', keyed, possible: hasTickets, description: `(${drawn})` },
      input: (model, reality) => ({ ticketId: ticketId(reality, aTicket(model, drawn)) }),
      predict: (model) => (name === 'closeTicket' ? close : reopen)(model, who, aTicket(model, drawn)),
    }),
  );

const updateStatuses: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('ticketing', 'engineer'),
    drawn: anIndex,
    status: fc.constantFrom('OPEN' as const, 'WAITING_FOR_CUSTOMER' as const, 'RESOLVED' as const),
  })
  .map(({ who, drawn, status }) =>
    mutation({
      ...{ who, name: 'updateTicketStatus', answers: 'Ticket', possible: hasTickets },
      description: `${status} (${drawn})`,
      input: (model, reality) => ({ ticketId: ticketId(reality, aTicket(model, drawn)), status }),
      predict: (model) => updateStatus(model, who, aTicket(model, drawn), status),
    }),
  );

// Grants.

const requests: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('engineer', 'engineer', 'engineer', 'otherEngineer'),
    drawn: anIndex,
    scope: fc.constantFrom('PRODUCT_DATA' as const, 'ROVO_CONVERSATIONS' as const),
    keyed: rarely,
  })
  .map(({ who, drawn, scope, keyed }) =>
    mutation({
      ...{ who, name: 'requestDataAccess', answers: 'Grant', keyed, possible: hasTickets },
      description: `${scope} (${drawn})`,
      input: (model, reality) => ({
        ticketId: ticketId(reality, aTicket(model, drawn)),
        scope,
        ...(scope === 'ROVO_CONVERSATIONS' ? { conversationIds: ['conversation-1'] } : {}),
      }),
      predict: (model) => request(model, who, aTicket(model, drawn), scope),
    }),
  );

/** An expiry: none, a number of seconds from now, or exactly at the policy's limit. */
const ends = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.constantFrom(-1, 0, 1, 3600, 86_400, 20 * 86_400) },
  { weight: 1, arbitrary: fc.constant('with the policy' as const) },
);

function momentOf(model: Model, product: Product, end: number | 'with the policy' | null): number | null {
  if (end === null) return null;
  if (end !== 'with the policy') return model.now + end * 1000;
  return model.now + (model.sites[siteOf(product)].maxGrantSeconds ?? 3600) * 1000;
}

const isoOrNull = (moment: number | null) => (moment === null ? null : new Date(moment).toISOString());

const approvals: fc.Arbitrary<Command> = fc
  .record({
    who: mostly(...grantors),
    drawn: anIndex,
    byTicket: fc.boolean(),
    path: fc.constantFrom('SUPPORT_PORTAL' as const, 'ADMIN_CONSOLE' as const),
    end: ends,
    expected: fc.constantFrom(null, null, null, 'this version' as const, 'another' as const),
    keyed: rarely,
  })
  .map(({ who, drawn, byTicket, path, end, expected, keyed }) => {
    const plan = (model: Model): GrantDecision => {
      const grant = aGrant(model, drawn);
      const { ticket, version } = grantAt(model, grant);
      const index = byTicket ? aTicket(model, drawn) : ticket;
      return {
        action: 'approve',
        on: byTicket ? { ticket: index } : { grant },
        path,
        expiresAt: momentOf(model, ticketAt(model, index).product, end),
        expectedVersion: expected === null ? null : expected === 'another' ? version + 1 : version,
      };
    };
    return mutation({
      ...{ who, name: 'approveDataAccess', answers: 'Grant', keyed, possible: hasGrants },
      description: `by ${byTicket ? 'ticket' : 'grant'} (${drawn}), until ${end}, at version ${expected}`,
      input: (model, reality) => {
        const { on, expiresAt, expectedVersion } = plan(model);
        return {
          ...('ticket' in on
            ? { ticketId: ticketId(reality, on.ticket) }
            : { grantId: grantId(reality, on.grant) }),
          ...{ path, expectedVersion, expiresAt: isoOrNull(expiresAt ?? null) },
        };
      },
      predict: (model) => decideOnGrant(model, who, plan(model)),
    });
  });

const others: Record<Exclude<GrantDecision['action'], 'approve'>, { name: string; likely: Who[] }> = {
  deny: { name: 'denyDataAccess', likely: grantors },
  approveAsGuard: { name: 'approveGuardRequest', likely: ['guardAdmin', 'guardAndOrganizationAdmin'] },
  denyAsGuard: { name: 'denyGuardRequest', likely: ['guardAdmin', 'guardAndOrganizationAdmin'] },
  revoke: { name: 'revokeDataAccess', likely: [...grantors, 'reporter', 'guardAdmin'] },
  withdraw: { name: 'withdrawDataAccessRequest', likely: ['engineer', 'engineer', 'otherEngineer'] },
  release: { name: 'releaseDataAccess', likely: ['engineer', 'engineer', 'otherEngineer'] },
};

function wishes(action: keyof typeof others): fc.Arbitrary<Command> {
  const { name, likely } = others[action];
  return fc
    .record({
      who: mostly(...likely),
      drawn: anIndex,
      expected: fc.constantFrom(null, null, null, 'this version' as const, 'another' as const),
      keyed: rarely,
    })
    .map(({ who, drawn, expected, keyed }) => {
      const plan = (model: Model): GrantDecision & { on: { grant: number } } => {
        const grant = aGrant(model, drawn);
        const { version } = grantAt(model, grant);
        return {
          ...{ action, on: { grant } },
          expectedVersion: expected === null ? null : expected === 'another' ? version + 1 : version,
        };
      };
      return mutation({
        ...{ who, name, answers: 'Grant', keyed, possible: hasGrants },
        description: `(${drawn}) at version ${expected}`,
        input: (model, reality) => {
          const { on, expectedVersion } = plan(model);
          return { grantId: grantId(reality, on.grant), expectedVersion };
        },
        predict: (model) => decideOnGrant(model, who, plan(model)),
      });
    });
}

const bulks: fc.Arbitrary<Command> = fc
  .record({
    who: mostly(...grantors),
    action: fc.constantFrom('approve' as const, 'revoke' as const),
    drawn: fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 }),
    keyed: rarely,
  })
  .map(({ who, action, drawn, keyed }) => {
    const chosen = (model: Model) => [...new Set(drawn.map((one) => aGrant(model, one)))];
    return mutation({
      ...{ who, name: `${action}DataAccessInBulk`, answers: 'BulkPayload', keyed, possible: hasGrants },
      description: `(${drawn})`,
      input: (model, reality) => ({ grantIds: chosen(model).map((grant) => grantId(reality, grant)) }),
      predict: (model) => inBulk(model, who, action, chosen(model), null),
      anyOrder: true,
    });
  });

// Support sessions.

const hasSessions = (model: Model) => model.sessions.length > 0;
const aSession = (model: Model, drawn: number) => pick(model.sessions.length, drawn);

const starts: fc.Arbitrary<Command> = fc
  .record({ who: mostly('engineer', 'engineer', 'engineer', 'otherEngineer'), drawn: anIndex, keyed: rarely })
  .map(({ who, drawn, keyed }) =>
    mutation({
      ...{ who, name: 'startSupportSession', answers: 'SupportSession', keyed, possible: hasGrants },
      description: `(${drawn})`,
      input: (model, reality) => ({
        grantId: grantId(reality, aGrant(model, drawn)),
        ...{ reason: 'INVESTIGATE_PROBLEM', note: 'To see the board', country: 'DE' },
      }),
      predict: (model) => startSession(model, who, aGrant(model, drawn)),
    }),
  );

const finishes: fc.Arbitrary<Command> = fc
  .record({ who: mostly('engineer', 'engineer', 'otherEngineer', 'reporter'), drawn: anIndex, keyed: rarely })
  .map(({ who, drawn, keyed }) =>
    mutation({
      ...{ who, name: 'endSupportSession', answers: 'SupportSession', keyed, possible: hasSessions },
      description: `(${drawn})`,
      input: (model, { sessions }) => ({
        supportSessionId: globalId('SupportSession', sessions[aSession(model, drawn)]),
      }),
      predict: (model) => finishSession(model, who, aSession(model, drawn)),
    }),
  );

// Change requests.

const hasChanges = (model: Model) => model.changes.length > 0;
const aChange = (model: Model, drawn: number) => pick(model.changes.length, drawn);

const changeRequests: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('engineer', 'engineer', 'engineer', 'otherEngineer'),
    drawn: anIndex,
    seconds: fc.constantFrom(3600, 3600, 86_400, 30 * 86_400, 30 * 86_400 + 1, 0),
    keyed: rarely,
  })
  .map(({ who, drawn, seconds, keyed }) => {
    const until = ({ now }: Model) => now + seconds * 1000;
    return mutation({
      ...{ who, name: 'requestChange', answers: 'ChangeRequest', keyed, possible: hasTickets },
      description: `for ${seconds} s (${drawn})`,
      input: (model, reality) => ({
        ticketId: ticketId(reality, aTicket(model, drawn)),
        ...{ kind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
        ...{ description: 'Let support browse the project', justification: 'The board cannot be opened' },
        validUntil: new Date(until(model)).toISOString(),
      }),
      predict: (model) => requestChange(model, who, aTicket(model, drawn), until(model)),
    });
  });

const onChanges: Record<ChangeAction, { name: string; likely: Who[] }> = {
  consent: { name: 'consentToChange', likely: grantors },
  refuse: { name: 'refuseChange', likely: grantors },
  revoke_consent: { name: 'revokeChangeConsent', likely: [...grantors, 'reporter', 'guardAdmin'] },
  withdraw: { name: 'withdrawChangeRequest', likely: ['engineer', 'engineer', 'otherEngineer'] },
  complete: { name: 'recordChangeResult', likely: ['engineer', 'engineer', 'otherEngineer'] },
};

function changes(action: ChangeAction): fc.Arbitrary<Command> {
  const { name, likely } = onChanges[action];
  return fc
    .record({
      who: mostly(...likely),
      drawn: anIndex,
      expected: fc.constantFrom(null, null, null, 'this version' as const, 'another' as const),
      keyed: rarely,
    })
    .map(({ who, drawn, expected, keyed }) => {
      const versionOf = (model: Model) => {
        const { version } = changeAt(model, aChange(model, drawn));
        return expected === null ? null : expected === 'another' ? version + 1 : version;
      };
      return mutation({
        ...{ who, name, answers: 'ChangeRequest', keyed, possible: hasChanges },
        description: `(${drawn}) at version ${expected}`,
        input: (model, reality) => ({
          changeRequestId: globalId('ChangeRequest', reality.changes[aChange(model, drawn)]),
          expectedVersion: versionOf(model),
          ...(action === 'complete' ? { result: 'APPLIED' } : {}),
        }),
        predict: (model) => decideOnChange(model, who, action, aChange(model, drawn), versionOf(model)),
      });
    });
}

// Sites, licences and roles.

const switchSites: fc.Arbitrary<Command> = fc
  .record({ who: mostly('operator', 'organizationAdmin'), site: aSite, off: fc.boolean(), keyed: rarely })
  .map(({ who, site, off, keyed }) =>
    mutation({
      ...{ who, name: off ? 'deactivateSite' : 'reactivateSite', answers: 'Site', keyed, description: site },
      input: (_, reality) => ({ siteId: globalId('Site', reality.sites[site]) }),
      predict: (model) => (off ? deactivate : reactivate)(model, who, site),
    }),
  );

const restrictions: fc.Arbitrary<Command> = fc
  .record({ who: mostly('guardAdmin', 'organizationAdmin'), site: aSite, restricted: fc.boolean() })
  .map(({ who, site, restricted }) =>
    mutation({
      ...{ who, name: 'setSupportAccessRestrictions', answers: 'Site', description: `${site} ${restricted}` },
      input: (_, reality) => ({ siteId: globalId('Site', reality.sites[site]), restricted }),
      predict: (model) => restrict(model, who, site, restricted),
    }),
  );

export const aPolicy: fc.Arbitrary<Policy> = fc.record({
  waitSeconds: fc.constantFrom(14 * 86_400, 3600, 1),
  maxGrantSeconds: fc.constantFrom(null, 86_400, 3600),
  samePersonMayApproveTwice: fc.boolean(),
});

const policies: fc.Arbitrary<Command> = fc
  .record({ who: mostly('organizationAdmin'), site: aSite, policy: aPolicy })
  .map(({ who, site, policy }) =>
    mutation({
      ...{
        who,
        name: 'setSupportAccessPolicy',
        answers: 'Site',
        description: `${site} ${JSON.stringify(policy)}`,
      },
      input: (_, reality) => {
        const { waitSeconds, ...rest } = policy;
        return { siteId: globalId('Site', reality.sites[site]), requestWaitSeconds: waitSeconds, ...rest };
      },
      predict: (model) => setPolicy(model, who, site, policy),
    }),
  );

const licences: fc.Arbitrary<Command> = fc
  .record({ who: mostly('operator'), product: aProduct, on: fc.boolean() })
  .map(({ who, product, on }) =>
    mutation({
      ...{ who, name: on ? 'licenseProduct' : 'unlicenseProduct', answers: 'Product', description: product },
      input: (_, reality) =>
        on
          ? {
              siteId: globalId('Site', reality.sites[siteOf(product)]),
              ...{ key: product.split('@')[0], name: product },
            }
          : { productId: globalId('Product', reality.products[product]) },
      predict: (model) => (on ? license : unlicense)(model, who, product),
    }),
  );

const aRole: fc.Arbitrary<RoleHeld> = fc
  .record({
    who: fc.constantFrom('reporter' as const, 'jiraAdmin' as const, ...members),
    role: fc.constantFrom(
      'PRODUCT_ADMIN',
      'ORGANIZATION_ADMIN',
      'GUARD_ADMIN',
      'BILLING_ADMIN',
      'SITE_ADMIN',
    ),
    site: fc.constantFrom('one' as const, 'two' as const),
    direct: fc.boolean(),
  })
  .map(({ who, role, site, direct }): RoleHeld => {
    const every = { who, direct, synced: direct, since: 0 };
    const jira = site === 'one' ? ('jira@one' as const) : ('jira@two' as const);
    switch (role) {
      case 'PRODUCT_ADMIN':
        return { ...every, role, site, product: jira };
      case 'BILLING_ADMIN':
      case 'SITE_ADMIN':
        return { ...every, role, site };
      default:
        return { ...every, role: role === 'GUARD_ADMIN' ? role : 'ORGANIZATION_ADMIN' };
    }
  });

const giveRoles: fc.Arbitrary<Command> = fc
  .record({ who: mostly('operator', 'organizationAdmin'), held: aRole })
  .map(({ who, held }) =>
    mutation({
      ...{ who, name: 'assignRole', answers: 'RoleAssignment', description: JSON.stringify(held) },
      input: (_, { lane, organizationId, sites: siteIds, products: productIds }) => ({
        userId: globalId('User', lane.accounts[held.who]),
        role: held.role,
        organizationId: globalId('Organization', organizationId),
        ...(held.site === undefined ? {} : { siteId: globalId('Site', siteIds[held.site]) }),
        ...(held.product === undefined ? {} : { productId: globalId('Product', productIds[held.product]) }),
        origin: held.direct ? 'DIRECT' : 'SCIM',
      }),
      predict: (model) => giveRole(model, who, held),
    }),
  );

/** The role with this number, or the first of somebody whose approval the Guard has not decided on. */
const aRoleHeld = (model: Model, drawn: number | 'an approver’s') => {
  if (drawn !== 'an approver’s') return drawn;
  const waiting = model.grants.filter(({ state }) => state === 'PENDING_GUARD_APPROVAL');
  return model.roles.findIndex(({ who }) => waiting.some(({ approvedBy }) => approvedBy === who));
};

const takingRoles = (which: fc.Arbitrary<number | 'an approver’s'>): fc.Arbitrary<Command> =>
  fc.record({ who: mostly('operator', 'organizationAdmin'), drawn: which }).map(({ who, drawn }) => {
    let index = -1;
    return mutation({
      ...{ who, name: 'removeRole', answers: 'RoleAssignment', description: `(${drawn})` },
      possible: (model) => model.roles[aRoleHeld(model, drawn)] !== undefined,
      input: (model, { roles }) => {
        index = aRoleHeld(model, drawn);
        return { roleAssignmentId: globalId('RoleAssignment', roles[index]) };
      },
      predict: (model) => takeRole(model, who, index),
    });
  });

const syncs: fc.Arbitrary<Command> = mostly('operator', 'unsyncedAdmin').map((who) =>
  mutation({
    ...{ who, name: 'triggerScimSync', answers: 'Organization', anyOrder: true },
    input: (_, { organizationId }) => ({ organizationId: globalId('Organization', organizationId) }),
    predict: (model) => syncRoles(model, who),
  }),
);

const settlings: fc.Arbitrary<Command> = fc
  .record({
    who: mostly('guardAdmin', 'guardAndOrganizationAdmin', 'organizationAdmin'),
    drawn: anIndex,
    how: fc.constantFrom<Settling>('confirm', 'confirm', 'confirm', 'decline', 'withdraw'),
  })
  .map(({ who, drawn, how }) =>
    mutation({
      ...{ who, name: `${how}ProposedChange`, answers: 'ProposedChange', description: `(${drawn})` },
      possible: (model) => model.proposals.length > 0,
      input: (model, { proposals }) => ({
        proposedChangeId: globalId('ProposedChange', proposals[pick(model.proposals.length, drawn)]),
      }),
      predict: (model) => settleProposal(model, who, how, pick(model.proposals.length, drawn)),
    }),
  );

// Time, reads, repetitions.

/** Seconds; or until the next grant expires, or one millisecond before that. */
const passing = fc.constantFrom(1, 3600, 86_400, 14 * 86_400, 'to the next end', 'just before the next end');

const time: fc.Arbitrary<Command> = passing.map((how) => ({
  check: () => true,
  async run(model, reality) {
    const ahead = model.grants.map(expiryOf).filter((end) => end !== null && end > model.now + 1);
    const next = ahead.length === 0 ? model.now + 1000 : Math.min(...ahead.map(Number));
    if (typeof how === 'number') model.now += how * 1000;
    else model.now = how === 'to the next end' ? next : next - 1;
    reality.lane.setClock(model.now);
  },
  toString: () => `time passes: ${how}`,
}));

const sweeps: fc.Arbitrary<Command> = fc.constant({
  check: () => true,
  async run(model: Model, reality: Reality) {
    await reality.lane.sweep();
    sweep(model);
    endDue(model);
    expireChanges(model);
    settleDue(model);
    count('the sweep', { done: true });
    await compareAll(model, reality, true);
  },
  toString: () => 'the sweep',
});

const states: State[] = [
  'PENDING_APPROVAL',
  'PENDING_GUARD_APPROVAL',
  'ACTIVE',
  'ENDED',
  'EXPIRED',
  'REVOKED',
];

const looks: fc.Arbitrary<Command> = fc
  .record({
    who: anybody,
    drawn: anIndex,
    asked: fc.uniqueArray(fc.constantFrom(...states), { minLength: 1 }),
  })
  .map(({ who, drawn, asked }) => ({
    check: hasTickets,
    async run(model, reality) {
      const index = aTicket(model, drawn);
      const ticket = ticketAt(model, index);
      const answer = await reality.lane.people[who].ask(lookDocument, {
        id: ticketId(reality, index),
        states: asked,
      });
      const approved = hasApproved(model, who, (grant) => grant.ticket === index);
      const sees = approved || seesTicket(model, who, ticket);
      count('a look', sees ? { done: true } : { refused: 'nothing' });
      const isShown = (grant: Grant) =>
        grant.ticket === index && (approved || seesGrants(model, who, ticket));
      const grants = model.grants
        .flatMap((grant, at) => (isShown(grant) ? [{ at, ...asOfNow(grant, model.now) }] : []))
        .reverse();
      const requested = model.changes
        .flatMap((request, at) =>
          request.ticket === index &&
          (approved || seesGrants(model, who, ticket) || (isMember(who) && request.decidedBy === who))
            ? [changeSeen(reality, at, changeAsOfNow(request, model.now))]
            : [],
        )
        .reverse();
      const ofMember = onTicket(obstaclesOf(model, who, ticket.product), ticket.status === 'CLOSED');
      const obstacles = isMember(who)
        ? ofMember
        : [...ofMember.filter((one) => one !== 'NO_MATCHING_ROLE'), 'NOT_A_MEMBER'];
      expect(answer).toEqual({
        node: sees
          ? {
              ...{ status: ticket.status, version: ticket.version },
              accessEligibility: {
                allowed: obstacles.length === 0,
                obstacles: obstacles.map((code) => ({ code })),
              },
              grants: { edges: grants.map(({ at, ...grant }) => ({ node: grantSeen(reality, at, grant) })) },
              changeRequests: { edges: requested.map((node) => ({ node })) },
            }
          : null,
        grants: {
          edges: grants
            .filter(({ state }) => asked.includes(state))
            .map(({ at }) => ({ node: { id: grantId(reality, at) } })),
        },
      });
    },
    toString: () => `${who} looks at (${drawn}) for ${asked}`,
  }));

const lookDocument = `query Look($id: ID!, $states: [GrantState!]!) {
  node(id: $id) { ... on Ticket { status version accessEligibility { allowed obstacles { code } }
    grants(first: 100) { edges { node { id state version endReason expiresAt endedAt } } }
    changeRequests(first: 100) { edges { node { id state version endReason endedAt } } } } }
  grants(filter: { ticketId: $id, states: $states }, first: 100) { edges { node { id } } } }`;

const repetitions: fc.Arbitrary<Command> = fc.constant({
  check: () => true,
  async run(model: Model, reality: Reality) {
    if (reality.repeatable === null) return;
    const { who, name, answers, input, answerLater } = reality.repeatable;
    const answer = await send(reality, who, name, answers, input);
    count('a repetition', { done: true });
    await compareAll(model, reality, false);
    const first = answerLater(model.now);
    const visible = (id: string, answered: Json) => {
      const isGrant = answers !== 'Ticket' && answered.code === undefined;
      return stillSees(model, reality, who, id, isGrant ? seesGrants : seesTicket) ? answered : nothingThere;
    };
    const { ticketId: ticket, grantId: grant, grantIds, changeRequestId: change, supportSessionId } = input;
    if (supportSessionId !== undefined) {
      const index = reality.sessions.findIndex(
        (known) => globalId('SupportSession', known) === supportSessionId,
      );
      expect(answerSeen(answer)).toEqual(seesSession(model, who, index) ? first : nothingThere);
      return;
    }
    expect(answerSeen(answer)).toEqual(
      grantIds === undefined
        ? visible(grant ?? ticket ?? change ?? '', first)
        : grantIds.map((id, index) => visible(id, first[index])),
    );
  },
  toString: () => 'repeats the last command',
});

const nothingThere = { code: 'NOT_FOUND' };

/** Whether the person still sees the ticket or grant. If not, a repetition does not return the first answer. */
function stillSees(
  model: Model,
  { tickets, grants, changes: requests }: Reality,
  who: Who,
  id: string,
  sees: typeof seesTicket,
): boolean {
  const grant = grants.findIndex((known) => globalId('Grant', known) === id);
  const ticket = tickets.findIndex((known) => globalId('Ticket', known) === id);
  const change = requests.findIndex((known) => globalId('ChangeRequest', known) === id);
  const ofChange = change === -1 ? ticket : changeAt(model, change).ticket;
  const target = grant === -1 ? ofChange : grantAt(model, grant).ticket;
  if (target === -1) return true;
  if (change !== -1 && isMember(who) && changeAt(model, change).decidedBy === who) return true;
  return sees(model, who, ticketAt(model, target)) || hasApproved(model, who, (_, index) => index === grant);
}

const takeRoles = takingRoles(fc.oneof(fc.nat({ max: 13 }), fc.constant('an approver’s' as const)));

/**
 * The first commands of every sequence, mostly with an approval, without which little could happen. Sometimes the person
 * who approved loses a role before the Guard approves; sometimes the engineer uses the grant.
 */
export const opening: fc.Arbitrary<Command[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: openingWith(
      [takingRoles(fc.constant('an approver’s' as const)), wishes('approveAsGuard')],
      [2, 2, 3, 3, 5],
    ),
  },
  { weight: 1, arbitrary: openingWith([starts, finishes], [4, 5]) },
);

function openingWith(then: fc.Arbitrary<Command>[], lengths: number[]): fc.Arbitrary<Command[]> {
  const first = [createTickets, assigningBy(fc.constantFrom('operator', 'ticketing')), approvals];
  return fc
    .tuple(...first, ...then)
    .chain((all) => fc.constantFrom(...lengths).map((length) => all.slice(0, length)));
}

/** All commands, listed more than once to be drawn more often. */
export const commands: fc.Arbitrary<Command>[] = [
  ...[createTickets, assignTickets, changeTickets, changeTickets, updateStatuses],
  ...[requests, requests, approvals, approvals, approvals, approvals, bulks, looks, time, time, sweeps],
  ...[starts, starts, finishes],
  ...[wishes('deny'), wishes('approveAsGuard'), wishes('approveAsGuard'), wishes('denyAsGuard')],
  ...[wishes('revoke'), wishes('revoke'), wishes('withdraw'), wishes('release')],
  ...[switchSites, restrictions, policies, licences, giveRoles, takeRoles, syncs, repetitions],
  ...[settlings, settlings, changeRequests, changeRequests, changes('consent'), changes('consent')],
  ...[changes('refuse'), changes('revoke_consent'), changes('withdraw'), changes('complete')],
];
