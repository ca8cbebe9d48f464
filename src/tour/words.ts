import type { EligibilityFieldsFragment } from '../../schema/generated/operations.ts';
import type { Heard } from './listening.ts';
import type { Timeline } from './timeline.ts';

/** Milliseconds between a mutation and an event it led to, as the person who sent it and waited would say. */
export function latency(
  { at }: Heard,
  { sentAt, answeredAt }: { sentAt: number; answeredAt: number },
): string {
  const sinceAnswer = at - answeredAt;
  return `${ms(at - sentAt)} after the mutation was sent, ${ms(Math.abs(sinceAnswer))} ${sinceAnswer < 0 ? 'before' : 'after'} its answer`;
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`;
}

/** Runs it and tells, by `performance.now()`, when it began and when it was answered. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; sentAt: number; answeredAt: number }> {
  const sentAt = performance.now();
  const result = await work();
  return { result, sentAt, answeredAt: performance.now() };
}

/** Why somebody may not grant, and who may. */
export function tellEligibility(timeline: Timeline, eligibility: EligibilityFieldsFragment): void {
  for (const { code, message, howToConfirm, fix } of eligibility.obstacles) {
    timeline.detail(`${code}: ${message}`);
    timeline.detail(`   to confirm: ${howToConfirm}`);
    timeline.detail(`   to fix: ${fix}`);
  }
  const reaches = Map.groupBy(eligibility.requiredRoles, ({ role }) => role);
  const roles = [...reaches].map(
    ([role, required]) => `${role} (${required.map(({ over }) => over.toLowerCase()).join(' or ')})`,
  );
  timeline.detail(`Roles that would do: ${roles.join(', ')}`);
  timeline.detail(`Who may now: ${grantorsOf(eligibility).join(', ') || 'nobody'}`);
}

/** The emails of those who may grant; empty for those who are not told. */
export function grantorsOf({ eligibleGrantors }: EligibilityFieldsFragment): string[] {
  return (eligibleGrantors?.edges ?? []).map(({ node }) => node.email).sort();
}

export function obstaclesOf({ obstacles }: EligibilityFieldsFragment): string[] {
  return obstacles.map(({ code }) => code);
}
