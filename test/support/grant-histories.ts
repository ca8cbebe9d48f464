/** Random histories of one grant: commands of all kinds, by a few people, at increasing times. */
import fc from 'fast-check';
import type { Grant } from '../../src/grants/grant.ts';
import { decide, type GrantCommand, type GrantDecision } from '../../src/grants/lifecycle.ts';
import { DAY, HOUR, MS, NOW, SECOND } from './builders.ts';
import { grantAfter } from './given-grant.ts';

/** One step of a history: the grant before it, the command and its time, the decision, the grant after it. */
export type Step = {
  before: Grant | null;
  command: GrantCommand;
  now: Date;
  decision: GrantDecision;
  after: Grant | null;
};

type Of<Type extends GrantCommand['type']> = Extract<GrantCommand, { type: Type }>;
type Plan = { elapsedMs: number; command: GrantCommand; expiresInMs: number | null };

/** Records with the usual prototype, as the code creates them, so that strict comparisons work. */
const record = <Model extends object>(
  model: {
    [Key in keyof Model]: fc.Arbitrary<Model[Key]>;
  },
): fc.Arbitrary<Model> => fc.record<Model>(model, { noNullPrototype: true });

const person = fc.constantFrom('ada', 'ben', 'cleo');
/** Mostly before anything was approved; the histories begin at `NOW`. */
const guardAdminSince = fc.constantFrom(
  ...[-1, -1, 1, 12].map((hours) => new Date(NOW.getTime() + hours * HOUR)),
);
const engineer = fc.constantFrom('engineer', 'next-engineer', null);
const terms = record({
  guardRequired: fc.boolean(),
  maxGrantSeconds: fc.constantFrom(null, 1, 3600, 30 * 24 * 3600),
  samePersonMayApproveTwice: fc.boolean(),
});

const commandOf: { [Type in GrantCommand['type']]: fc.Arbitrary<Of<Type>> } = {
  Request: record({
    type: fc.constant('Request'),
    grantId: fc.constant('grant'),
    organizationId: fc.constant('organization'),
    ticketId: fc.constant('ticket'),
    siteId: fc.constant('site'),
    scope: fc.constantFrom(
      { kind: 'PRODUCT_DATA' as const },
      { kind: 'ROVO_CONVERSATIONS' as const, conversationIds: ['conversation'] },
    ),
    engineerId: engineer,
    requestedById: person,
    justification: fc.constantFrom(null, 'The board does not load.'),
    waitSeconds: fc.constantFrom(1, 3600, 14 * 24 * 3600),
    terms,
  }),
  Approve: record({
    type: fc.constant('Approve'),
    by: person,
    path: fc.constantFrom('TICKET_CREATION', 'SUPPORT_PORTAL', 'ADMIN_CONSOLE'),
    expiresAt: fc.constant(null),
    terms,
  }),
  Deny: record({ type: fc.constant('Deny'), by: person }),
  ApproveAsGuard: record({ type: fc.constant('ApproveAsGuard'), by: person, guardAdminSince, terms }),
  DenyAsGuard: record({ type: fc.constant('DenyAsGuard'), by: person, guardAdminSince }),
  LapseApproval: record({ type: fc.constant('LapseApproval') }),
  Revoke: record({ type: fc.constant('Revoke'), by: person, asGuard: fc.boolean() }),
  Withdraw: record({ type: fc.constant('Withdraw'), by: person }),
  Release: record({ type: fc.constant('Release'), by: person }),
  Reassign: record({ type: fc.constant('Reassign'), engineerId: engineer }),
  ShortenWait: record({
    type: fc.constant('ShortenWait'),
    waitSeconds: fc.constantFrom(1, 3600, 7 * 24 * 3600, 365 * 24 * 3600),
  }),
  CloseTicket: record({ type: fc.constant('CloseTicket'), by: person }),
  DeactivateSite: record({ type: fc.constant('DeactivateSite'), by: person }),
  UnlicenseProduct: record({ type: fc.constant('UnlicenseProduct'), by: person }),
  ChangeProduct: record({ type: fc.constant('ChangeProduct'), by: person }),
  ElapseTime: record({ type: fc.constant('ElapseTime') }),
};

/** Any command, with more approvals, so that histories reach the later states. */
export const anyCommand: fc.Arbitrary<GrantCommand> = fc.oneof(
  { weight: 4, arbitrary: commandOf.Approve },
  { weight: 4, arbitrary: commandOf.ApproveAsGuard },
  ...Object.values(commandOf),
);

const plan = (command: fc.Arbitrary<GrantCommand>): fc.Arbitrary<Plan> =>
  record({
    elapsedMs: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0, MS, SECOND - MS, SECOND) },
      fc.constantFrom(HOUR - MS, HOUR, DAY, 14 * DAY),
    ),
    command,
    expiresInMs: fc.constantFrom(null, null, -MS, 0, MS, SECOND, HOUR, HOUR + MS, 30 * DAY),
  });

/** A history that begins without a grant: sometimes another command, then the request, then any commands. */
export const history: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.array(plan(anyCommand), { maxLength: 1 }),
    plan(commandOf.Request),
    fc.array(plan(anyCommand), { maxLength: 25 }),
  )
  .map(([first, request, rest]) => play([...first, request, ...rest]));

function play(plans: readonly Plan[]): Step[] {
  const steps: Step[] = [];
  let [grant, now]: [Grant | null, Date] = [null, NOW];
  for (const { elapsedMs, expiresInMs, ...planned } of plans) {
    now = new Date(now.getTime() + elapsedMs);
    const command = withExpiry(planned.command, expiresInMs, now);
    const decision = decide(grant, command, now);
    const after = grantAfter(grant, decision);
    steps.push({ before: grant, command, now, decision, after });
    grant = after;
  }
  return steps;
}

function withExpiry(command: GrantCommand, expiresInMs: number | null, now: Date): GrantCommand {
  if (command.type !== 'Approve' || expiresInMs === null) return command;
  return { ...command, expiresAt: new Date(now.getTime() + expiresInMs) };
}
