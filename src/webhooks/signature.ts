/** The signature of a webhook, by Standard Webhooks 1.0.0: HMAC-SHA256 over its id, its time and the bytes of its body. */
import { timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

/** How long ago, and how far ahead, a webhook may have been signed by the clock of the database, in seconds. */
export const toleranceSeconds = 5 * 60;

/** At most so many signatures are compared: one for each secret of a rotation, and room for other schemes. */
const maxSignatures = 10;

export type SignedHeaders = { id: string; timestamp: Date; signatures: readonly string[] };

/**
 * Reads the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. An id with a full stop is malformed: it
 * would let a part of the signed body pass for a part of the id.
 */
export function readHeaders(
  header: (name: string) => string | undefined,
): SignedHeaders | 'UNSIGNED' | 'MALFORMED' {
  const [id, seconds, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(header);
  if (!id || !seconds || !signature) return 'UNSIGNED';
  if (!/^[\x21-\x2d\x2f-\x7e]{1,100}$/.test(id) || !/^[1-9]\d{0,10}$/.test(seconds)) return 'MALFORMED';
  const timestamp = new Date(Number(seconds) * 1_000);
  return { id, timestamp, signatures: signature.split(' ').slice(0, maxSignatures) };
}

/** Whether it was signed within the tolerance. Otherwise somebody may have kept it to send it again. */
export function isFresh({ timestamp }: SignedHeaders, now: Date): boolean {
  return Math.abs(now.getTime() - timestamp.getTime()) <= toleranceSeconds * 1_000;
}

/**
 * Whether one of the signatures is by one of the secrets. The library makes the signatures and the comparison is ours,
 * because the library's goes by the clock of the machine.
 */
export function isSignedBy(
  secrets: readonly string[],
  { id, timestamp, signatures }: SignedHeaders,
  body: Buffer,
): boolean {
  const expected = secrets.map((secret) => Buffer.from(new Webhook(secret).sign(id, timestamp, body)));
  const given = signatures.map((signature) => Buffer.from(signature));
  // Every pair is compared, so that the time does not tell which secret it was.
  return expected
    .flatMap((own) => given.map((other) => own.length === other.length && timingSafeEqual(own, other)))
    .includes(true);
}
