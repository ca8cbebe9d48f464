/** The events of grants among the results of a subscription that selects `type`. */
import type { Json } from './gateway.ts';

/** The types with which a subscription begins, and with which its current state ends: their `grant` is null. */
const marks = ['STARTED', 'CURRENT_COMPLETE'];

/** Whether the event is about a grant. */
export function isOfGrant({ type }: { type: string }): boolean {
  return !marks.includes(type);
}

/** Resolves with the next event of a grant; rejects if the results end before, or with errors. */
export async function nextOfGrant(results: AsyncIterator<Json>): Promise<Json> {
  for (;;) {
    const { value, done } = await results.next();
    if (done === true) throw new Error('The subscription ended');
    if (value.errors !== undefined) throw new Error(JSON.stringify(value.errors));
    if (isOfGrant(value.data.grantEvents)) return value.data.grantEvents;
  }
}
