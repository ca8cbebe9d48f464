/** The subscriptions that the subscribers of these tests follow: what they ask for, and what they keep the order of. */
import type { Json } from '../support/gateway.ts';

export type Stream = {
  readonly name: 'grantEvents' | 'sessionEvents';
  /** Of the events in the database. */
  readonly kind: 'grant' | 'session';
  /** What an event says, of the event itself. */
  readonly selection: string;
  /** More than the event itself holds: each event costs reads of the database. */
  readonly nestedSelection: string;
  /** What the event is about, whose versions increase; null: nothing has happened. */
  subjectOf(event: Json): Subject | null;
};

export type Subject = { id: string; version: number; state: string };

export const grantStream: Stream = {
  ...{ name: 'grantEvents', kind: 'grant', selection: 'grant { id version state justification }' },
  nestedSelection: `grant { id version state justification engineer { email }
    decisions { stage outcome decidedBy { email } } ticket { key summary site { url } } }`,
  subjectOf: ({ grant }) => grant,
};

/** The sessions of a grant come in their order. Their writers number their events in the note. */
export const sessionStream: Stream = {
  ...{ name: 'sessionEvents', kind: 'session', selection: 'session { id note state grant { id } }' },
  nestedSelection: `session { id note state endReason engineer { email }
    grant { id state decisions { stage outcome decidedBy { email } } } ticket { key summary site { url } } }`,
  subjectOf: ({ session }) =>
    session === null ? null : { id: session.grant.id, version: Number(session.note), state: session.state },
};
