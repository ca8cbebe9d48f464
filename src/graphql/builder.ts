/** The schema builder: plugins, scalars and defaults. It knows no type of the product. */
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import { DateTimeISOResolver } from 'graphql-scalars';
import type PrismaTypes from '../../prisma/generated/pothos.ts';
import { getDatamodel } from '../../prisma/generated/pothos.ts';
import { may, type OperationName, operations } from '../authorization/operations.ts';
import { relationsToPlatform } from '../authorization/relations.ts';
import type { Context } from './context.ts';
import { badUserInput, invalidInputFrom, notPermitted } from './errors.ts';
import { decodeGlobalId, encodeGlobalId } from './global-id.ts';
import { loadNodes } from './nodes.ts';
import ViewerIndependencePlugin from './viewer-independence-plugin.ts';

/** The longest page of any list, and the one given when nothing is asked. */
export const pageSize = { max: 100, default: 20 };

export const builder = new SchemaBuilder<{
  PrismaTypes: PrismaTypes;
  Context: Context;
  AuthScopes: { operation: OperationName };
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: Record<string, unknown>; Output: Record<string, unknown> };
    ID: { Input: string; Output: string };
  };
  DefaultFieldNullability: false;
}>({
  plugins: [
    ErrorsPlugin,
    ScopeAuthPlugin,
    ValidationPlugin,
    PrismaPlugin,
    RelayPlugin,
    ViewerIndependencePlugin,
  ],
  defaultFieldNullability: false,
  prisma: {
    client: ({ services }) => services.database.prisma,
    dmmf: getDatamodel(),
    maxConnectionSize: pageSize.max,
    defaultConnectionSize: pageSize.default,
    exposeDescriptions: false,
    onUnusedQuery: null,
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (typename, id) => encodeGlobalId(typename, String(id)),
    decodeGlobalID: (globalId) => decodeGlobalId(globalId) ?? { typename: '', id: '' },
    nodeTypeOptions: { description: 'Anything with a global id.' },
    nodeQueryOptions: {
      description: 'The thing with this global id, or null where there is none that the viewer may see.',
      authScopes: { operation: 'node' },
      args: { id: { description: 'The global id.' } },
      resolve: async (_, { id }, context, info) => (await loadNodes(context, info, [id]))[0] ?? null,
    },
    nodesQueryOptions: {
      description: `The things with these global ids, at most ${pageSize.max}, in their order; null where there is none that the viewer may see.`,
      nullable: { list: true, items: true },
      authScopes: { operation: 'nodes' },
      args: { ids: { description: 'The global ids.' } },
      resolve: (_, { ids }, context, info) => loadNodes(context, info, ids),
    },
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    idFieldOptions: { description: 'The global id.', viewerIndependent: true },
    edgesFieldOptions: { description: 'The items of the page, each with its cursor.' },
    nodeFieldOptions: { description: 'The item.' },
    cursorFieldOptions: { description: 'Where the item stands in the list.' },
    pageInfoFieldOptions: { description: 'Where the page stands in the list.' },
    hasNextPageFieldOptions: { description: 'Whether there is more after the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there is more before the page.' },
    startCursorFieldOptions: { description: "The first item's cursor." },
    endCursorFieldOptions: { description: "The last item's cursor: give it as `after` for the next page." },
    firstArgOptions: {
      description: `How many at most, from the start: ${pageSize.default} if left out, ${pageSize.max} at most.`,
    },
    lastArgOptions: { description: `How many at most, from the end: ${pageSize.max} at most.` },
    afterArgOptions: { description: 'Only what comes after this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
  },
  // The table decides. A mutation's row speaks of what the mutation is about, so its command asserts it.
  scopeAuth: {
    authScopes: ({ viewer }) => ({
      operation: (operation) =>
        viewer !== null &&
        (operations[operation].kind === 'mutation' || may(operation, relationsToPlatform(viewer))),
    }),
    authorizeOnSubscribe: true,
    unauthorizedError: (_, { viewer, hasToken }) => notPermitted(viewer, hasToken),
  },
  validation: {
    validationError: ({ issues }, args) => {
      const problem = invalidInputFrom(issues);
      // A mutation, and nothing else, has an `input`, and answers what is wrong with it.
      return 'input' in args ? problem : badUserInput(problem.message);
    },
  },
  errors: { directResult: true, unsafelyHandleInputErrors: true },
});

builder.queryType({ description: 'What the viewer may see.' });
builder.mutationType({
  description: 'What the viewer may do; every decision and refusal is on the audit log.',
});
builder.subscriptionType({ description: 'What the viewer is told as it happens.' });
builder.addScalarType('DateTime', DateTimeISOResolver);
