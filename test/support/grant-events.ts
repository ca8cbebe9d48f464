/** The events of grants, or of sessions, among the results of a subscription that selects `type`. */
import type { Json } from './gateway.ts';

/** The types with which a subscription begins, and with which its current state ends: they are about nothing. */
const marks = ['STARTED', 'CURRENT_COMPLETE'];

/** Whether the event is about a grant or a session. */
export function isOfGrant({ type }: { type: string }): boolean {
  return !marks.includes(type);
}

/** Resolves with the next event of a grant; rejects if the results end before, or with errors. */
export async function nextOfGrant(results: AsyncIterator<Json>): Promise<Json> {
  return await nextOf('grantEvents', results);
}

/** Resolves with the next event of this subscription field after its beginning. */
export async function nextOf(
  field: 'grantEvents' | 'sessionEvents' | 'changeRequestEvents',
  results: AsyncIterator<Json>,
): Promise<Json> {
  for (;;) {
    const { value, done } = await results.next();
    if (done === true) throw new Error('The subscription ended');
    if (value.errors !== undefined) throw new Error(JSON.stringify(value.errors));
    if (isOfGrant(value.data[field])) return value.data[field];
  }
}
