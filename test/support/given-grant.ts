/** Given-when-then tests of the lifecycle: given a grant, when a command, then changed, refused or unchanged. */
import { expect } from 'vitest';
import type { Grant } from '../../src/grants/grant.ts';
import {
  decide,
  type GrantChange,
  type GrantCommand,
  type GrantDecision,
  type GrantRefusal,
} from '../../src/grants/lifecycle.ts';
import { NOW } from './builders.ts';

type Given = { when(command: GrantCommand, now?: Date): Decided };

type Decided = Given & {
  /** The whole change: event, decision, and every fact of the grant after it. */
  thenChangedTo(change: GrantChange): void;
  /** The event, and these facts of the grant after it. */
  thenChanged(event: GrantChange['event'], facts: object): void;
  thenRefused(refusal: GrantRefusal): void;
  thenUnchanged(): void;
};

/** Starts with this grant, or with none. Each command applies to the grant after the previous command. */
export function given(grant: Grant | null): Given {
  return {
    when(command, now = NOW) {
      const decision = decide(grant, command, now);
      return { ...given(grantAfter(grant, decision)), ...expectations(decision) };
    },
  };
}

/** The grant after a decision. */
export function grantAfter(grant: Grant | null, decision: GrantDecision): Grant | null {
  return 'changed' in decision ? decision.changed.grant : grant;
}

function expectations(decision: GrantDecision): Omit<Decided, 'when'> {
  return {
    thenChangedTo: (change) => expect(decision).toStrictEqual({ changed: change }),
    thenChanged: (event, facts) => expect(decision).toMatchObject({ changed: { event, grant: facts } }),
    thenRefused: (refusal) => expect(decision).toStrictEqual({ refused: refusal }),
    thenUnchanged: () => expect(decision).toStrictEqual({ unchanged: true }),
  };
}
