/** Lints the schema and the project's own operations: `npm run check:graphql`. Biome lints the TypeScript. */
import graphql from '@graphql-eslint/eslint-plugin';

const parserOptions = {
  graphQLConfig: { schema: 'schema/schema.graphql', documents: 'schema/operations/*.graphql' },
};
const shared = {
  languageOptions: { parser: graphql.parser, parserOptions },
  plugins: { '@graphql-eslint': graphql },
};

export default [
  {
    ...shared,
    files: ['schema/schema.graphql'],
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Lists that are bounded and short are plain lists: the decisions of a grant, the obstacles of an eligibility.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            // Parts of a list, of a result, of a node: none of them can be asked for on its own.
            suffixes: ['Connection', 'Edge', 'Error', 'Payload', 'Permissions'],
            types: [
              'AccessEligibility',
              'AuditActor',
              'AuditResource',
              'BulkItem',
              'Decision',
              'FieldProblem',
              'GrantAllowance',
              'GrantAuditTrail',
              'GrantLimit',
              'GrantScope',
              'GrantTerms',
              'Obstacle',
              'PageInfo',
              'Permission',
              'RelayedConsent',
              'RequiredRole',
              'SupportAccessPolicy',
              'TotalCount',
              'AuditCounts',
              'AuditLogBeginning',
              'AuditLogHead',
              'AuditStreamSelection',
              'AuditStreamHealth',
              'AuditStreamTest',
              'AuditStreamWithSecret',
              'AuditGroup',
              'AuditSummary',
            ],
          },
        },
      ],
    },
  },
  {
    ...shared,
    files: ['schema/operations/*.graphql'],
    rules: graphql.configs['flat/operations-recommended'].rules,
  },
];
