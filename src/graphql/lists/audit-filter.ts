/** What the audit log can be asked for: entries, and counts of them. */
import { reasonCodes } from '../../access/reasons.ts';
import { type AuditAction, auditActions } from '../../audit/actions.ts';
import type { AuditFilter, AuditPlace, FilteredColumn } from '../../audit/filter.ts';
import { addressesSeenBy, placesOfAuditEntries, visibleTickets } from '../../authorization/visibility.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { addressRange } from '../../platform/client-address.ts';
import { decodeGlobalId } from '../../platform/global-id.ts';
import { isId } from '../../platform/ids.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import {
  listOf,
  lookUpKey,
  maxValues,
  optionalCountries,
  optionalGlobalId,
  optionalValues,
  productKey,
  ticketKey,
} from '../input.ts';
import { AuditActionEnum, AuditActionResource } from '../types/audit-action.ts';
import { ActorKind } from '../types/audit-actor.ts';
import { AuditOutcome } from '../types/audit-outcome.ts';
import { knownErrorCode } from '../types/error.ts';
import { type FilterFields, idsField, periodFields, textField } from './conditions.ts';

export const AuditLogFilter = builder.inputType('AuditLogFilter', {
  description: 'Selects audit entries. All the conditions given must hold.',
  fields: (t) => ({ ...whoFields(t), ...whatFields(t), ...whereFields(t) }),
});

export type AskedOfLog = typeof AuditLogFilter.$inferInput;

function whoFields(t: FilterFields) {
  return {
    actorEmail: t
      .string({ description: 'Only entries of the actor with exactly this email address, in any case.' })
      .validate(lookUpKey(254).nullish()),
    actorEmails: t
      .stringList({
        description: `Only entries of the actors with these email addresses, in any case, at most ${maxValues}.`,
      })
      .validate(listOf(lookUpKey(254).transform(asciiLowerCase))),
    actorEmailPrefixes: t
      .stringList({
        description: `Only entries of actors whose email address begins with one of these, in any case, at most ${maxValues}. One that begins with \`@\` is the beginning of a domain: \`@contractor.\` is everybody there.`,
      })
      .validate(listOf(addressPrefix)),
    actorKind: t.field({ type: ActorKind, description: 'Only entries of actors of this kind.' }),
    actorKinds: t
      .field({
        type: [ActorKind],
        description: `Only entries of actors of one of these kinds, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof ActorKind.$inferType>()),
    engineerCountries: t
      .stringList({
        description:
          'Only entries of support actions and beginnings of support sessions for which the engineer was in one of these countries: ISO 3166-1 alpha-2 codes, such as `DE`, at most 250.',
      })
      .validate(optionalCountries),
    clientAddresses: t
      .stringList({
        description: `Only entries whose \`clientAddress\` is one of these addresses, or in one of these ranges, \`192.0.2.0/24\`, at most ${maxValues}. An address that the viewer may not see is not found.`,
      })
      .validate(listOf(clientRange)),
  };
}

const addressPrefix = lookUpKey(254)
  .refine(
    (text) => !text.endsWith('*') && !text.endsWith('%'),
    'must be the beginning of an address, without * or % at its end.',
  )
  .refine((text) => text !== '@', 'must have a character after the @.')
  .transform(asciiLowerCase);

const clientRange = lookUpKey(64).transform((text, context) => {
  const range = addressRange(text);
  if (range !== null) return `${range.address}/${range.bits}`;
  context.addIssue({
    code: 'custom',
    message: 'must be an IP address or a range: 192.0.2.1, 192.0.2.0/24.',
  });
  return '';
});

function whatFields(t: FilterFields) {
  return {
    action: t.field({ type: AuditActionEnum, description: 'Only entries of this action.' }),
    actions: t
      .field({
        type: [AuditActionEnum],
        description: `Only entries of one of these actions, at most ${maxValues}.`,
      })
      .validate(optionalValues<AuditAction>()),
    actionsOn: t
      .field({
        type: [AuditActionResource],
        description: `Only entries of actions on these resources, at most ${maxValues}: \`GRANT\` is every \`grant.*\`.`,
      })
      .validate(optionalValues<typeof AuditActionResource.$inferType>()),
    outcome: t.field({ type: AuditOutcome, description: 'Only entries with this outcome.' }),
    refusalCodes: t
      .stringList({
        description: `Only what was refused with one of these codes, at most ${maxValues}: an \`ErrorCode\`, or the reason of a no to a product's backend, such as \`COUNTRY_NOT_ALLOWED\`.`,
      })
      .validate(listOf(refusalCode)),
    resourceTypes: t
      .stringList({
        description: `Only entries about resources of one of these types, as \`resource.type\` has them, at most ${maxValues}: \`Grant\`, \`work_item\`.`,
      })
      .validate(listOf(lookUpKey(100))),
    resourceIds: t
      .idList({
        description: `Only entries about one of these resources, at most ${maxValues}: a global id, or the id of a resource of a product as its backend calls it.`,
      })
      .validate(listOf(lookUpKey(1_000).transform(resourceId))),
    text: textField(
      t,
      "Only entries whose actor's name or address, resource of a product, or texts in `details` have this.",
    ),
    ...periodFields(t, 'entries', 'occurredAt'),
  };
}

const refusalCode = lookUpKey(100).refine(
  (code) => knownErrorCode(code) !== null || (reasonCodes as string[]).includes(code),
  'must be the code of a refusal: an ErrorCode, or a reason of docs/access.md.',
);

function resourceId(text: string): string {
  const named = decodeGlobalId(text);
  return named !== null && isId(named.id) ? named.id : text;
}

function whereFields(t: FilterFields) {
  return {
    organizationId: t
      .id({ description: "Only entries in this organization's log." })
      .validate(optionalGlobalId('Organization')),
    siteId: t
      .id({ description: 'Only entries that belong to this site.' })
      .validate(optionalGlobalId('Site')),
    siteIds: idsField(t, 'Site', 'Only entries that belong to one of these sites'),
    productKeys: t
      .stringList({
        description: `Only entries that were about one of these products then, by \`productKey\`, at most ${maxValues}.`,
      })
      .validate(listOf(productKey)),
    ticketId: t
      .id({ description: 'Only entries that belong to this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    ticketIds: idsField(t, 'Ticket', 'Only entries that belong to one of these tickets'),
    ticketKeys: t
      .stringList({
        description: `Only entries that belong to one of the tickets with these keys, in any case, at most ${maxValues}. Engineers find those whose \`ticketKey\` they see.`,
      })
      .validate(listOf(ticketKey)),
    grantId: t
      .id({ description: 'Only entries that belong to this grant.' })
      .validate(optionalGlobalId('Grant')),
    grantIds: idsField(t, 'Grant', 'Only entries that belong to one of these grants'),
    supportSessionId: t
      .id({ description: 'Only entries that belong to this support session.' })
      .validate(optionalGlobalId('SupportSession')),
    supportSessionIds: idsField(
      t,
      'SupportSession',
      'Only entries that belong to one of these support sessions',
    ),
  };
}

/** @throws BAD_USER_INPUT for a period that ends before it begins */
export function checkPeriod({ from, until }: AskedOfLog): void {
  if (from != null && until != null && from >= until)
    throw badUserInput('filter.from must be before filter.until.');
}

/** Where to look, of what the viewer may read, and for what. One statement, if keys of tickets have to be looked up. */
export async function searchOf(
  context: Context,
  asked: AskedOfLog,
): Promise<{ places: AuditPlace[]; filter: AuditFilter }> {
  const viewer = viewerOf(context);
  const { from, until, actorEmailPrefixes, clientAddresses, text, ticketKeys } = asked;
  const ofKeys = ticketKeys == null ? null : await ticketsWithKeys(context, ticketKeys);
  return {
    places: within(placesOfAuditEntries(viewer), asked),
    filter: {
      values: valuesOf(asked, ofKeys),
      ...{ from: from ?? null, until: until ?? null },
      ...(actorEmailPrefixes == null ? {} : { actorPrefixes: actorEmailPrefixes }),
      ...(clientAddresses == null
        ? {}
        : { clientAddresses: { ranges: clientAddresses, seen: addressesSeenBy(viewer) } }),
      ...(text == null ? {} : { text }),
    },
  };
}

/** Engineers read only what they did, and are told the keys of the tickets that they may see. */
async function ticketsWithKeys(context: Context, keys: string[]): Promise<string[]> {
  const viewer = viewerOf(context);
  const rows = await context.services.database.prisma.ticket.findMany({
    where: {
      AND: [{ key: { in: keys } }, viewer.kind === 'SUPPORT_ENGINEER' ? visibleTickets(viewer) : {}],
    },
    select: { id: true },
  });
  return rows.map(({ id }) => id);
}

/** The values that entries have to have, by column. Of several conditions on one column, all hold. */
function valuesOf(asked: AskedOfLog, ticketsOfKeys: string[] | null): AuditFilter['values'] {
  const { actorEmail, actionsOn, refusalCodes } = asked;
  const lists: Record<Exclude<FilteredColumn, 'site_id'>, (readonly string[] | null | undefined)[]> = {
    session_id: [one(asked.supportSessionId), asked.supportSessionIds],
    grant_id: [one(asked.grantId), asked.grantIds],
    ticket_id: [one(asked.ticketId), asked.ticketIds, ticketsOfKeys],
    resource_id: [asked.resourceIds],
    resource_type: [asked.resourceTypes],
    actor_email: [actorEmail == null ? null : [asciiLowerCase(actorEmail)], asked.actorEmails],
    actor_kind: [one(asked.actorKind), asked.actorKinds],
    action: [one(asked.action), asked.actions, actionsOn == null ? null : actionsOnResources(actionsOn)],
    outcome: [one(asked.outcome), refusalCodes == null ? null : ['REFUSED']],
    refusal_code: [refusalCodes],
    product: [asked.productKeys],
    country: [asked.engineerCountries],
  };
  return Object.fromEntries(
    Object.entries(lists).flatMap(([column, conditions]) => {
      const [first, ...others] = conditions.filter((list) => list != null);
      if (first === undefined) return [];
      return [[column, first.filter((value) => others.every((list) => list.includes(value)))]];
    }),
  );
}

function one(value: string | null | undefined): string[] | null {
  return value == null ? null : [value];
}

function actionsOnResources(resources: readonly string[]): AuditAction[] {
  return auditActions.filter((action) => resources.includes(action.split('.', 1)[0] ?? ''));
}

/** What of the places is in this organization, on this site and on one of these sites, as far as they are given. */
function within(
  places: readonly AuditPlace[],
  { organizationId, siteId, siteIds }: AskedOfLog,
): AuditPlace[] {
  const sites = siteId == null ? siteIds : [siteId].filter((id) => siteIds?.includes(id) ?? true);
  const isElsewhere = (here: string | undefined, other: string | null | undefined) =>
    here !== undefined && other != null && here !== other;
  return places
    .filter((place) => !isElsewhere(place.organizationId, organizationId))
    .map((place) => ({ ...place, ...(organizationId == null ? {} : { organizationId }) }))
    .flatMap((place) => {
      if (sites == null) return place;
      // No index has the entries of an actor on a site.
      if (place.actor !== undefined) return { ...place, onSites: sites };
      return sites.filter((id) => !isElsewhere(place.siteId, id)).map((id) => ({ ...place, siteId: id }));
    });
}
