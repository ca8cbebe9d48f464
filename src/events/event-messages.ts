/**
 * The messages in which gateways send each other the events that they have committed. They are encrypted: whoever
 * controls the bus can neither read events nor invent them, and one that is sent again is recognized by its position.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { type EventKind, parseEvent, payloadOf } from './envelope.ts';
import type { AppendedEvents } from './outbox.ts';
import type { OpenTransaction, Position } from './position.ts';

export type EventMessages = {
  /** Base64url. */
  encode(appended: AppendedEvents): string;
  /** Undefined if the message is not one of this deployment, or has an event that this version cannot read. */
  decode(message: string): AppendedEvents | undefined;
};

/**
 * @param secret the same on every gateway of the deployment
 * @param kinds the kinds of events that this gateway reads
 */
export function createEventMessages(secret: string, kinds: readonly EventKind[]): EventMessages {
  const { seal, open } = createSeal(secret);
  return {
    encode: (appended) => seal(JSON.stringify(toJson(appended))),
    decode(message) {
      try {
        return fromJson(JSON.parse(open(Buffer.from(message, 'base64url'))), kinds);
      } catch {
        return undefined;
      }
    },
  };
}

type Json = {
  next: string;
  open: [txid: string, through: string][];
  events: { id: string; type: string; at: number; payload: unknown; txid: string; seq: string }[];
};

function toJson({ events, snapshot }: AppendedEvents): Json {
  return {
    next: String(snapshot.next),
    open: snapshot.open.map(({ txid, through }) => [String(txid), String(through)]),
    events: events.map(({ event, offset }) => ({
      id: event.id,
      type: event.type,
      at: event.occurredAt.getTime(),
      payload: payloadOf(event),
      txid: String(offset.txid),
      seq: String(offset.seq),
    })),
  };
}

/** @throws Error if an event cannot be read */
function fromJson({ next, open, events }: Json, kinds: readonly EventKind[]): AppendedEvents {
  const snapshot: Position = { next: BigInt(next), open: open.map(openTransaction) };
  return {
    snapshot,
    events: events.map(({ id, type, at, payload, txid, seq }) => {
      const parsed = parseEvent({ id, type, occurredAt: new Date(at), payload }, kinds);
      if (parsed.outcome !== 'EVENT') throw new Error('The event has to be read from the table');
      return { event: parsed.event, offset: { txid: BigInt(txid), seq: BigInt(seq) } };
    }),
  };
}

function openTransaction([txid, through]: [string, string]): OpenTransaction {
  return { txid: BigInt(txid), through: BigInt(through) };
}

const algorithm = 'aes-256-gcm';
const saltLength = 16;
const ivLength = 12;
const tagLength = 16;

/** Senders whose keys are kept. Beyond that, the oldest is derived again when it is needed. */
const maxKeys = 256;

/** AES-256-GCM. Each sender has a key of its own, derived from the secret and a salt, so that a counter is enough as IV. */
function createSeal(secret: string) {
  const keys = new Map<string, Buffer>();

  function keyOf(salt: Buffer): Buffer {
    const name = salt.toString('base64url');
    const known = keys.get(name);
    if (known !== undefined) return known;
    const key = Buffer.from(hkdfSync('sha256', secret, salt, 'latchkey events between gateways', 32));
    const [oldest] = keys.keys();
    if (keys.size >= maxKeys && oldest !== undefined) keys.delete(oldest);
    keys.set(name, key);
    return key;
  }

  const salt = randomBytes(saltLength);
  const key = keyOf(salt);
  let sent = 0n;

  return {
    seal(text: string): string {
      const iv = Buffer.alloc(ivLength);
      iv.writeBigUInt64BE(sent, ivLength - 8);
      sent += 1n;
      const cipher = createCipheriv(algorithm, key, iv);
      const body = cipher.update(text, 'utf8');
      return Buffer.concat([salt, iv, body, cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    /** @throws Error if it was not sealed with this secret */
    open(sealed: Buffer): string {
      const ivAt = saltLength + ivLength;
      const iv = sealed.subarray(saltLength, ivAt);
      const decipher = createDecipheriv(algorithm, keyOf(sealed.subarray(0, saltLength)), iv, {
        authTagLength: tagLength,
      });
      decipher.setAuthTag(sealed.subarray(-tagLength));
      return decipher.update(sealed.subarray(ivAt, -tagLength), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
