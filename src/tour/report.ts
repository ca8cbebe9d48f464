import type { EligibilityFieldsFragment } from '../../schema/generated/operations.ts';
import type { ReceivedEvent } from './inbox.ts';
import type { Timeline } from './timeline.ts';

/** Describes when an event was received, relative to the mutation that caused it. */
export function latency(
  { at }: Pick<ReceivedEvent, 'at'>,
  { sentAt, answeredAt }: { sentAt: number; answeredAt: number },
): string {
  const sinceAnswer = at - answeredAt;
  return `${ms(at - sentAt)} after the mutation was sent, ${ms(Math.abs(sinceAnswer))} ${sinceAnswer < 0 ? 'before' : 'after'} its answer`;
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`;
}

/** Runs the work, and measures by `performance.now()` when it was sent and when it was answered. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; sentAt: number; answeredAt: number }> {
  const sentAt = performance.now();
  const result = await work();
  return { result, sentAt, answeredAt: performance.now() };
}

/** Prints why a person may not grant, and who may. */
export function printEligibility(timeline: Timeline, eligibility: EligibilityFieldsFragment): void {
  for (const { code, message, howToConfirm, fix } of eligibility.obstacles) {
    timeline.detail(`${code}: ${message}`);
    timeline.detail(`   to confirm: ${howToConfirm}`);
    timeline.detail(`   to fix: ${fix}`);
  }
  const reaches = Map.groupBy(eligibility.requiredRoles, ({ role }) => role);
  const roles = [...reaches].map(
    ([role, required]) => `${role} (${required.map(({ over }) => over.toLowerCase()).join(' or ')})`,
  );
  timeline.detail(`Roles that may grant: ${roles.join(', ')}`);
  timeline.detail(`People who may grant now: ${grantorsOf(eligibility).join(', ') || 'nobody'}`);
}

/** The emails of the people who may grant; empty when the viewer may not see them. */
export function grantorsOf({ eligibleGrantors }: EligibilityFieldsFragment): string[] {
  return (eligibleGrantors?.edges ?? []).map(({ node }) => node.email).sort();
}

export function obstaclesOf({ obstacles }: EligibilityFieldsFragment): string[] {
  return obstacles.map(({ code }) => code);
}
