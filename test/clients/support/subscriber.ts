import type { Sink } from 'graphql-ws';
import { expect } from 'vitest';
import { committedEvents } from '../../delivery/subscriber.ts';
import { bySize } from '../../support/size.ts';
import { done, fileTicket } from '../../support/world.ts';
import { eventually } from './eventually.ts';
import type { Stage } from './stage.ts';
import type { UnsteadyGateway } from './unsteady-gateway.ts';

/** The events that a client has received, in order. */
export type Received = {
  id: string;
  type: string;
  grant?: { id: string; state: string; version: number } | null | undefined;
  openGrants?: number | null;
}[];

export const typesOf = (received: Received): string[] => received.map(({ type }) => type);

/** A sink that keeps the events, and how the subscription ended. */
export function keepEvents() {
  const received: Received = [];
  const ends: unknown[] = [];
  const sink: Sink<{ data?: { grantEvents: Received[number] } | null }> = {
    next: ({ data }) => void (data && received.push(data.grantEvents)),
    error: (error) => void ends.push(error),
    complete: () => void ends.push('complete'),
  };
  return { received, ends, sink };
}

/** A wait before a new attempt that is short enough for a test. */
export const shortWait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

export async function approved(stage: Stage): Promise<string> {
  const { grantId } = await fileTicket(stage.gateway, stage.world);
  await done(await stage.as('organizationAdmin'), 'approveDataAccess', { grantId });
  return grantId ?? '';
}

/**
 * Cuts the connection and restarts the gateway while grants change. Asserts that the client, which has subscribed to all
 * events through the unsteady gateway, receives every one.
 */
export async function expectNothingLost(
  stage: Stage,
  { cut, restart }: Pick<UnsteadyGateway, 'cut' | 'restart'>,
  received: Received,
): Promise<void> {
  // Until then a change may be part of the current state instead.
  await eventually(() => expect(typesOf(received)).toContain('CURRENT_COMPLETE'));
  const before = new Set((await committedEvents(stage.gateway.sql)).map(({ id }) => id));
  const change = async () => void (await approved(stage));
  const allReceived = async () => {
    const committed = (await committedEvents(stage.gateway.sql, before)).map(({ id }) => id);
    await eventually(() => expect(received.map(({ id }) => id)).toEqual(expect.arrayContaining(committed)));
    return committed.length;
  };
  await change();
  await allReceived();
  const failures = bySize([cut, restart], [cut, restart, cut, restart, cut, cut]);
  for (const fail of failures) {
    await fail(change);
    await change();
    await allReceived();
  }
  // Each change writes at least REQUESTED and ACTIVATED.
  expect(await allReceived()).toBeGreaterThanOrEqual(2 * (1 + 2 * failures.length));
}

/** Asserts that a subscription whose token expires after some seconds goes on with the next token. */
export async function expectNewTokenUsed(
  stage: Stage,
  { tokens }: { tokens(): number },
  received: Received,
): Promise<void> {
  await eventually(() => expect(typesOf(received)).toContain('CURRENT_COMPLETE'));
  await eventually(() => expect(tokens()).toBe(2));
  const grantId = await approved(stage);
  const ofGrant = () => received.filter(({ grant }) => grant?.id === grantId);
  await eventually(() => expect(typesOf(ofGrant())).toContain('ACTIVATED'));
}
