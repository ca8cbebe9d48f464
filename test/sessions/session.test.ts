/** Decides every command in every state of a support session. */
import { describe, expect, test } from 'vitest';
import {
  asOf,
  decide,
  endWithPlace,
  isElapsed,
  isOpen,
  type Session,
  type SessionCommand,
  type SessionDecision,
  type SessionEndReason,
} from '../../src/sessions/session.ts';
import { fromNow, HOUR, MS, NOW, openSession, SECOND } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';

const {
  startedAt,
  lastUsedAt,
  idleSeconds,
  expiresAt,
  dueAt,
  endedAt,
  endReason,
  endedById,
  version,
  ...start
} = openSession();

const commands = {
  Start: {
    ...{ type: 'Start', start: { ...start, id: 'next' }, grantExpiresAt: null },
    limits: { sessionIdleSeconds: 1800, maxSessionSeconds: 8 * 3600 },
  },
  Use: { type: 'Use' },
  End: { type: 'End', by: 'engineer' },
  EndUse: { type: 'EndUse', endReason: 'GRANT_REVOKED', by: 'customer' },
  ElapseTime: { type: 'ElapseTime', grantExpiresAt: null },
} as const satisfies { [Type in SessionCommand['type']]: Extract<SessionCommand, { type: Type }> };

const states: Record<string, Session | null> = {
  none: null,
  open: openSession(),
  'open, and used a moment ago': openSession({
    lastUsedAt: fromNow(-MS),
    dueAt: fromNow(1800 * SECOND - MS),
  }),
  'idle for too long since this moment': openSession({ dueAt: NOW }),
  'idle for too long since before': openSession({ dueAt: fromNow(-MS) }),
  'open for too long since before': openSession({ dueAt: fromNow(-MS), expiresAt: fromNow(-MS) }),
  over: openSession({
    ...{ endedAt: fromNow(-MS), endReason: 'TICKET_CLOSED', endedById: 'somebody', version: 2 },
  }),
};

type Outcome = SessionDecision | 'starts';
const unchanged = { unchanged: true } as const;
const over: Outcome = { refused: 'SESSION_OVER' };

/** The session as it is after the end. */
function ends(name: string, reason: SessionEndReason, at: Date, by: string | null = null): Outcome {
  const session = states[name];
  if (session == null) throw new Error(`There is no session in the state "${name}"`);
  return {
    changed: {
      event: 'ENDED',
      session: { ...session, endedAt: at, endReason: reason, endedById: by, version: 2 },
    },
  };
}

function used(name: string): Outcome {
  const session = states[name];
  if (session == null) throw new Error(`There is no session in the state "${name}"`);
  return {
    changed: { event: 'USED', session: { ...session, lastUsedAt: NOW, dueAt: fromNow(1800 * SECOND) } },
  };
}

const table: Record<string, Record<SessionCommand['type'], Outcome>> = {
  none: {
    Start: 'starts',
    Use: { refused: 'NO_SUCH_SESSION' },
    End: { refused: 'NO_SUCH_SESSION' },
    EndUse: { refused: 'NO_SUCH_SESSION' },
    ElapseTime: { refused: 'NO_SUCH_SESSION' },
  },
  open: {
    Start: { refused: 'SESSION_ALREADY_OPEN' },
    Use: used('open'),
    End: ends('open', 'ENDED_BY_ENGINEER', NOW, 'engineer'),
    EndUse: ends('open', 'GRANT_REVOKED', NOW, 'customer'),
    ElapseTime: unchanged,
  },
  'open, and used a moment ago': {
    Start: { refused: 'SESSION_ALREADY_OPEN' },
    Use: unchanged,
    End: ends('open, and used a moment ago', 'ENDED_BY_ENGINEER', NOW, 'engineer'),
    EndUse: ends('open, and used a moment ago', 'GRANT_REVOKED', NOW, 'customer'),
    ElapseTime: unchanged,
  },
  'idle for too long since this moment': {
    Start: 'starts',
    Use: over,
    End: unchanged,
    // What ends the use of the grant at the same moment says more.
    EndUse: ends('idle for too long since this moment', 'GRANT_REVOKED', NOW, 'customer'),
    ElapseTime: ends('idle for too long since this moment', 'IDLE_LIMIT', NOW),
  },
  'idle for too long since before': {
    Start: 'starts',
    Use: over,
    End: unchanged,
    EndUse: ends('idle for too long since before', 'IDLE_LIMIT', fromNow(-MS)),
    ElapseTime: ends('idle for too long since before', 'IDLE_LIMIT', fromNow(-MS)),
  },
  'open for too long since before': {
    Start: 'starts',
    Use: over,
    End: unchanged,
    EndUse: ends('open for too long since before', 'TIME_LIMIT', fromNow(-MS)),
    ElapseTime: ends('open for too long since before', 'TIME_LIMIT', fromNow(-MS)),
  },
  over: { Start: 'starts', Use: over, End: unchanged, EndUse: unchanged, ElapseTime: unchanged },
};

const started: SessionDecision = {
  changed: {
    event: 'STARTED',
    session: {
      ...{ ...start, id: 'next', startedAt: NOW, lastUsedAt: NOW, idleSeconds: 1800 },
      ...{ expiresAt: fromNow(8 * HOUR), dueAt: fromNow(1800 * SECOND) },
      ...{ endedAt: null, endReason: null, endedById: null, version: 1 },
    },
  },
};

describe.each(Object.entries(states))('given a session that is %s', (name, session) => {
  test.each(Object.entries(commands))('when %s', (type, command) => {
    const outcome = table[name]?.[type as SessionCommand['type']];
    const decision = decide(deepFreeze(session), deepFreeze(command), NOW);
    expect(decision).toStrictEqual(outcome === 'starts' ? started : outcome);
  });

  test('it is open, over, or over without a record of it', () => {
    if (session === null) return;
    expect(isOpen(session, NOW)).toBe(name.startsWith('open') && !name.includes('too long'));
    expect(isElapsed(session, NOW)).toBe(name.includes('too long'));
    expect(isOpen(asOf(session, null, NOW), NOW)).toBe(isOpen(session, NOW));
  });
});

describe('the limits of a session', () => {
  const startWith = (limits: Partial<Extract<SessionCommand, { type: 'Start' }>>) => {
    const decision = decide(null, { ...commands.Start, ...limits }, NOW);
    if (!('changed' in decision)) throw new Error('It was not started');
    return decision.changed.session;
  };

  test("end it with its grant, where that is earlier than the site's limit", () => {
    expect(startWith({ grantExpiresAt: fromNow(HOUR) })).toMatchObject({
      expiresAt: fromNow(HOUR),
      dueAt: fromNow(1800 * SECOND),
    });
    expect(startWith({ grantExpiresAt: fromNow(9 * HOUR) }).expiresAt).toEqual(fromNow(8 * HOUR));
    expect(startWith({ grantExpiresAt: fromNow(MS) })).toMatchObject({
      expiresAt: fromNow(MS),
      dueAt: fromNow(MS),
    });
  });

  test('an end with its grant is called so', () => {
    const session = startWith({ grantExpiresAt: fromNow(MS) });
    const then = asOf(session, fromNow(MS), fromNow(MS));
    expect(then).toMatchObject({ endReason: 'GRANT_EXPIRED', endedAt: fromNow(MS), endedById: null });
    expect(asOf(session, fromNow(HOUR), fromNow(MS)).endReason).toBe('TIME_LIMIT');
  });

  test('use carries it on, from a tenth of the idle limit on, and never beyond its end', () => {
    const session = startWith({ grantExpiresAt: fromNow(200 * SECOND + 1700 * SECOND) });
    const at = (ms: number) => decide(session, { type: 'Use' }, fromNow(ms));
    expect(at(180 * SECOND - MS)).toEqual({ unchanged: true });
    expect(at(180 * SECOND)).toMatchObject({
      changed: { session: { lastUsedAt: fromNow(180 * SECOND), dueAt: fromNow(1900 * SECOND) } },
    });
    expect(at(-HOUR)).toEqual({ unchanged: true });
    expect(at(1800 * SECOND)).toEqual({ refused: 'SESSION_OVER' });
  });
});

test.each(['End', 'EndUse'] as const)('%s ends a session by a clock that was set back', (type) => {
  const session = openSession({ startedAt: fromNow(SECOND), lastUsedAt: fromNow(SECOND) });
  expect(decide(session, commands[type], NOW)).toMatchObject({
    changed: { session: { endedAt: fromNow(SECOND) } },
  });
});

test('a session ends with its site or licence, and one that is over stays as it is', () => {
  const end = { reason: 'PRODUCT_UNLICENSED', since: NOW, byId: 'operator' } as const;
  expect(endWithPlace(openSession(), end)).toMatchObject({
    ...{ endedAt: NOW, endReason: 'PRODUCT_UNLICENSED', endedById: 'operator', version: 2 },
  });
  const idle = openSession({ dueAt: fromNow(-MS) });
  expect(endWithPlace(idle, end)).toMatchObject({ endedAt: fromNow(-MS), endReason: 'IDLE_LIMIT' });
  const over = endWithPlace(openSession(), end);
  expect(endWithPlace(over, { ...end, since: fromNow(HOUR) })).toBe(over);
});
