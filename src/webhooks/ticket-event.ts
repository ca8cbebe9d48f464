/** What an event of a ticketing system says, read from the JSON that it sends: docs/webhooks.md. Pure functions. */
import { z } from 'zod';
import type { InboundTicketEventType } from '../../prisma/generated/client/enums.ts';
import { readSiteUrl } from '../organizations/site-url.ts';
import { parseEmailAddress } from '../platform/email-address.ts';
import { isVisible, visibleText } from '../platform/visible-text.ts';

export type TicketEventType = InboundTicketEventType;

/** Who files a ticket about what. */
export type Filing = {
  summary: string;
  /** The URL of the site, in its one spelling. */
  site: string;
  /** The key of the product. */
  product: string;
  /** The address of the reporter. */
  reporter: string;
  data_access_consent: boolean;
};

export type ToldStatus = 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED' | 'CLOSED';

/** What it says of its ticket. Left out: nothing of that. */
export type Content = { [Field in keyof Filing]?: Filing[Field] | undefined } & {
  status?: ToldStatus | undefined;
  /** The address of the engineer; null: nobody. */
  engineer?: string | null | undefined;
};

export type TicketEvent = {
  type: TicketEventType;
  externalId: string;
  occurredAt: Date;
  /** The number of the event among those of its ticket; 0 where the ticketing system does not number them. */
  sequence: number;
  content: Content;
};

/** The event; that its type is none of ours, which is no mistake; or what is wrong with it. */
export type ReadEvent = { event: TicketEvent } | { ignored: true } | { problem: string };

const maxSummary = 200;

/** One line that can be shown. A summary has no rules in a ticketing system, so it is made fit and cut. */
const summary = z.string().transform((text, context) => {
  const line = visibleText(text.toWellFormed().replace(/[\s\p{Cc}\p{Noncharacter_Code_Point}]+/gu, ' '));
  const cut = line
    .slice(0, maxSummary)
    .replace(/[\ud800-\udbff]$/, '')
    .trim();
  if (isVisible(cut)) return cut;
  context.addIssue({ code: 'custom', message: 'must have a character that can be seen' });
  return z.NEVER;
});

/** A text that reads one way and becomes a part of addresses, keys and ids. */
function name(max: number) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must have at most ${max} characters`)
    .refine(
      (text) => text.isWellFormed() && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text) && text.trim() === text,
      'must be one line of visible characters, without spaces around it',
    );
}

function readBy(read: (text: string) => string | null, message: string) {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

const address = readBy(parseEmailAddress, 'must be an email address');
const status = z.enum(['OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED']);
const engineer = address.nullable();

const ticket = {
  external_id: name(200),
  sequence: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
};

const types = {
  'ticket.created': {
    type: 'CREATED',
    data: z.object({
      ...ticket,
      summary,
      site: readBy(readSiteUrl, 'must be the URL of a site, https://customer.example'),
      product: name(100),
      reporter: address,
      data_access_consent: z.boolean().default(false),
      engineer: engineer.optional(),
      status: status.optional(),
    }),
  },
  'ticket.updated': {
    type: 'UPDATED',
    data: z.object({
      ...ticket,
      summary: summary.optional(),
      product: name(100).optional(),
      engineer: engineer.optional(),
      status: status.optional(),
    }),
  },
  'ticket.assigned': { type: 'ASSIGNED', data: z.object({ ...ticket, engineer }) },
  'ticket.status_changed': { type: 'STATUS_CHANGED', data: z.object({ ...ticket, status }) },
  'ticket.closed': {
    type: 'CLOSED',
    data: z.object(ticket).transform((data) => ({ ...data, status: 'CLOSED' as const })),
  },
} as const;

const envelope = z.object({
  type: z.string(),
  timestamp: z.iso.datetime({ offset: true }),
  data: z.unknown(),
});

/** @param latest an event that happened later than this says so by mistake; it would hide everything until then. */
export function readTicketEvent(json: unknown, latest: Date): ReadEvent {
  const outer = envelope.safeParse(json);
  if (!outer.success) return { problem: problemOf(outer.error) };
  const { type, timestamp, data } = outer.data;
  if (!Object.hasOwn(types, type)) return { ignored: true };
  const known = types[type as keyof typeof types];
  const occurredAt = new Date(timestamp);
  if (!(occurredAt.getTime() >= 0)) return { problem: 'timestamp: must be a time after 1970' };
  if (occurredAt > latest) return { problem: 'timestamp: must not be in the future' };
  const parsed = known.data.safeParse(data);
  if (!parsed.success) return { problem: problemOf(parsed.error, 'data') };
  const { external_id: externalId, sequence, ...content } = parsed.data;
  return { event: { type: known.type, externalId, occurredAt, sequence, content } };
}

/** The first problem, with its place. It quotes no value. */
function problemOf({ issues: [first] }: z.ZodError, ...within: string[]): string {
  const path = [...within, ...(first?.path ?? [])].join('.');
  return `${path === '' ? 'the body' : path}: ${first?.message ?? 'is not valid'}`;
}

/** The filing of the ticket, if the event is one. */
export function filingOf({ summary, site, product, reporter, data_access_consent }: Content): Filing | null {
  return summary === undefined || site === undefined || product === undefined || reporter === undefined
    ? null
    : { summary, site, product, reporter, data_access_consent: data_access_consent === true };
}
