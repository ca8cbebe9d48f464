import { bearerKey } from '../authentication.ts';
import type { RunningOperation } from '../running-operation.ts';
import type { Admission, Asked } from './admission.ts';
import type { Refused } from './refusal.ts';

/** Admits an operation, or returns why not. */
export async function admit(
  admission: Admission,
  operation: RunningOperation,
  asked: Asked,
): Promise<Refused | null> {
  const place = await admission.admit(bearerKey(operation.session.claims), asked);
  if ('code' in place) return place;
  operation.place = place;
  if (operation.ended !== null) place.end();
  return null;
}
