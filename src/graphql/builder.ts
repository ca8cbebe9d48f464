/** The schema builder: plugins, scalars and defaults. The types of the product are in types/ and mutations/. */
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import type PrismaTypes from '../../prisma/generated/pothos.ts';
import { getDatamodel } from '../../prisma/generated/pothos.ts';
import { may, type OperationName, operations } from '../authorization/operations.ts';
import { relationsToPlatform } from '../authorization/viewer-relations.ts';
import { decodeGlobalId, encodeGlobalId } from '../platform/global-id.ts';
import type { Context } from './context.ts';
import { DateTime } from './date-time.ts';
import { badUserInput, invalidInputFrom, notPermitted } from './errors.ts';
import type { Counted } from './lists/counted.ts';
import { loadNodes } from './nodes.ts';
import ViewerIndependencePlugin from './viewer-independence-plugin.ts';

/** The number of items on a page of any list: the maximum, and the default. */
export const pageSize = { max: 100, default: 20 };

export const builder = new SchemaBuilder<{
  PrismaTypes: PrismaTypes;
  Context: Context;
  AuthScopes: { operation: OperationName };
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: Record<string, unknown>; Output: Record<string, unknown> };
    SafeInt: { Input: number; Output: number };
    ID: { Input: string; Output: string };
  };
  Connection: Counted;
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
    nodeTypeOptions: { description: 'An object with a global id.' },
    nodeQueryOptions: {
      description:
        'The object with this global id. Null where it does not exist or the viewer may not see it.',
      authScopes: { operation: 'node' },
      args: { id: { description: 'The global id.' } },
      resolve: async (_, { id }, context, info) => (await loadNodes(context, info, [id]))[0] ?? null,
    },
    nodesQueryOptions: {
      description: `The objects with these global ids, at most ${pageSize.max}, in their order. An item is null where its object does not exist or the viewer may not see it; the list is null with an error.`,
      nullable: { list: true, items: true },
      authScopes: { operation: 'nodes' },
      args: { ids: { description: `The global ids, at most ${pageSize.max}.` } },
      resolve: (_, { ids }, context, info) => loadNodes(context, info, ids),
    },
    pageInfoTypeOptions: { description: 'The position of a page in its list.' },
    idFieldOptions: {
      description: 'The global id: opaque, and unique in the whole schema.',
      viewerIndependent: true,
    },
    edgesFieldOptions: { description: 'The items of the page, each with its cursor.' },
    nodeFieldOptions: { description: 'The item.' },
    cursorFieldOptions: { description: 'The position of the item in the list.' },
    pageInfoFieldOptions: { description: 'The position of the page in the list, and whether there is more.' },
    hasNextPageFieldOptions: {
      description: 'Whether there are items after the page. With `last`, whether `before` was given.',
    },
    hasPreviousPageFieldOptions: {
      description: 'Whether there are items before the page. With `first`, whether `after` was given.',
    },
    startCursorFieldOptions: { description: 'The cursor of the first item. Null where the page is empty.' },
    endCursorFieldOptions: {
      description:
        'The cursor of the last item: give it as `after` for the next page. Null where the page is empty.',
    },
    firstArgOptions: {
      description: `The number of items from the start of the list. Default ${pageSize.default}, at most ${pageSize.max}.`,
    },
    lastArgOptions: { description: `The number of items from the end of the list, at most ${pageSize.max}.` },
    afterArgOptions: { description: 'Only items after this cursor.' },
    beforeArgOptions: { description: 'Only items before this cursor.' },
  },
  // Queries and subscriptions are checked here. A mutation's relations depend on what its input names, so the command
  // checks them.
  scopeAuth: {
    authScopes: ({ viewer }) => ({
      operation: (operation) =>
        viewer !== null &&
        (operations[operation].kind === 'mutation' || may(operation, relationsToPlatform(viewer))),
    }),
    authorizeOnSubscribe: true,
    unauthorizedError: (_, { viewer }) => notPermitted(viewer),
  },
  validation: {
    validationError: ({ issues }, args, { viewer }) => {
      // Arguments are validated before the field is authorized.
      if (viewer === null) return notPermitted(viewer);
      const problem = invalidInputFrom(issues);
      // Only mutations have an `input`, and they return invalid input as a typed error.
      return 'input' in args ? problem : badUserInput(problem.message);
    },
  },
  errors: { directResult: true, unsafelyHandleInputErrors: true },
});

builder.queryType({ description: 'What the viewer may read.' });
builder.mutationType({
  description: 'What the viewer may change. Every change and every refusal is on the audit log.',
});
builder.subscriptionType({ description: 'What the viewer may receive as it happens.' });
builder.addScalarType('DateTime', DateTime, {
  description:
    'A moment in UTC, as RFC 3339 writes it, with milliseconds: `2026-11-26T12:30:00.000Z`. Input may have any offset. The filters of lists also take a day, `2026-11-26`: its beginning in UTC.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
});
