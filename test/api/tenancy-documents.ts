/** Random operations drawn from the schema: any field and argument, as deep as the gateway allows. */
import fc, { type GeneratorValue } from 'fast-check';
import {
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  type OperationTypeNode,
} from 'graphql';
import { schema } from '../../src/graphql/schema.ts';

/** The values that random operations use: global ids by type, texts by the name of the argument, cursors. */
export type Things = {
  ids: Readonly<Record<string, readonly string[]>>;
  texts: Readonly<Record<string, readonly string[]>>;
  /** By the name of the list, and all of them under the empty name. */
  cursors: Readonly<Record<string, readonly string[]>>;
};

export type Draw = {
  /** A whole number from 0 to `n - 1`. */
  below(n: number): number;
  /** True in this percentage of cases. */
  chance(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
};

/** Draws from a property of fast-check, every number with the same probability. */
export function drawFrom(generator: GeneratorValue): Draw {
  return drawWith((n) => generator(evenly, n));
}

/** Draws the same for the same seed, outside a property. */
export function drawSeeded(seed: number): Draw {
  const numbers = fc.sample(evenly(2 ** 31), { numRuns: 1_000, seed });
  let next = 0;
  return drawWith((n) => {
    next += 1;
    return (numbers[next % numbers.length] ?? 0) % n;
  });
}

const evenly = (n: number) => fc.noBias(fc.nat({ max: n - 1 }));

function drawWith(below: Draw['below']): Draw {
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: <T>(from: readonly T[]) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error('There is nothing to pick from');
      return picked;
    },
  };
}

/** The deepest document, as the gateway counts levels of fields: somewhat below its limit. */
const deepest = 13;

/** Writes a query with some root fields, or one mutation. */
export function writeDocument(draw: Draw, kind: 'query' | 'mutation', things: Things): string {
  const root = schema.getRootType(kind as OperationTypeNode);
  const fields = Object.values(root?.getFields() ?? {});
  const count = kind === 'query' ? 1 + draw.below(3) : 1;
  const written = Array.from({ length: count }, (_, index) =>
    writeField(draw, draw.pick(fields), things, deepest, { alias: `_${index}` }),
  );
  return `${kind} { ${written.join(' ')} }`;
}

function writeField(
  draw: Draw,
  field: GraphQLField<unknown, unknown>,
  things: Things,
  room: number,
  { alias, of }: { alias?: string; of?: string },
): string {
  const list = of === undefined ? field.name : `${of}.${field.name}`;
  const given = field.args.flatMap((arg) => writeArgument(draw, arg, things, room, list));
  const type = getNamedType(field.type);
  const selection = isCompositeType(type) ? writeSelection(draw, type, things, room - 1) : '';
  const name = alias === undefined ? field.name : `${alias}: ${field.name}`;
  return `${name}${given.length === 0 ? '' : `(${given.join(', ')})`} ${selection}`;
}

function writeSelection(draw: Draw, type: GraphQLCompositeType, things: Things, room: number): string {
  if (isAbstractType(type)) {
    const possible = draw.pick(schema.getPossibleTypes(type));
    const common = 'id' in (isInterfaceType(type) ? type.getFields() : {}) ? 'id' : '';
    return `{ __typename ${common} ... on ${possible.name} ${writeSelection(draw, possible, things, room)} }`;
  }
  const fields = Object.values(type.getFields());
  const isPage = type.name.endsWith('Connection') || type.name.endsWith('Edge');
  const chosen = fields.filter((field) => {
    if (!isCompositeType(getNamedType(field.type))) return true;
    const needed = getNamedType(field.type).name.endsWith('Connection') ? 4 : 2;
    return room >= needed && (isPage || draw.chance(30));
  });
  return `{ __typename ${chosen.map((field) => writeField(draw, field, things, room, { of: type.name })).join(' ')} }`;
}

function writeArgument(
  draw: Draw,
  arg: GraphQLArgument,
  things: Things,
  room: number,
  list: string,
): string[] {
  switch (arg.name) {
    case 'first':
      return [`first: ${room === deepest ? draw.pick([5, 50]) : 2}`];
    case 'last':
      return [];
    case 'after':
    case 'before': {
      if (!draw.chance(8)) return [];
      const ofList = draw.chance(90) ? things.cursors[list] : undefined;
      return [`${arg.name}: ${JSON.stringify(draw.pick(ofList ?? things.cursors[''] ?? []))}`];
    }
    default:
      if (!isNonNullType(arg.type) && !draw.chance(40)) return [];
      return [`${arg.name}: ${writeValue(draw, arg.name, arg.type, things)}`];
  }
}

/** The types of the ids that an argument of this name takes; any type where it is missing. */
const typesOf: Record<string, readonly string[]> = {
  organizationId: ['Organization'],
  siteId: ['Site'],
  siteIds: ['Site'],
  productId: ['Product'],
  ticketId: ['Ticket'],
  grantId: ['Grant'],
  supportSessionId: ['SupportSession'],
  grantIds: ['Grant'],
  ticketIds: ['Ticket'],
  supportSessionIds: ['SupportSession'],
  changeRequestId: ['ChangeRequest'],
  userId: ['User'],
  reporterId: ['User'],
  accountId: ['User', 'ServiceAccount'],
  engineerId: ['SupportEngineer'],
  engineerIds: ['SupportEngineer'],
  assigneeId: ['SupportEngineer'],
  assigneeIds: ['SupportEngineer'],
  roleAssignmentId: ['RoleAssignment'],
  proposedChangeId: ['ProposedChange'],
  integrationId: ['ServiceAccount'],
  inboundTicketEventId: ['InboundTicketEvent'],
  rovoDataDeletionId: ['RovoDataDeletion'],
  invitationId: ['Invitation'],
  auditStreamId: ['AuditStream'],
};

function writeValue(draw: Draw, name: string, outer: GraphQLInputType, things: Things): string {
  const type = getNullableType(outer);
  if (isListType(type)) {
    const items = Array.from({ length: 1 + draw.below(3) }, () =>
      writeValue(draw, name, type.ofType, things),
    );
    return `[${[...new Set(items)].join(', ')}]`;
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).flatMap((field) => writeInput(draw, field, things));
    return `{ ${fields.join(', ')} }`;
  }
  if (isEnumType(type)) return draw.pick(type.getValues()).name;
  switch (type.name) {
    case 'ID': {
      const types = typesOf[name] ?? Object.keys(things.ids);
      return JSON.stringify(draw.pick(things.ids[draw.pick(types)] ?? []));
    }
    case 'SafeInt':
    case 'Int':
      return String(1 + draw.below(5));
    case 'Boolean':
      return String(draw.chance(50));
    case 'DateTime':
      return draw.pick(['"2020-01-01T00:00:00Z"', '"2090-01-01T00:00:00Z"']);
    default:
      return JSON.stringify(draw.pick(things.texts[name] ?? []));
  }
}

function writeInput(draw: Draw, field: GraphQLInputField, things: Things): string[] {
  if (!isNonNullType(field.type) && !draw.chance(40)) return [];
  return [`${field.name}: ${writeValue(draw, field.name, field.type, things)}`];
}
