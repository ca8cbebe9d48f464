import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents from the operations: `schema/generated/operations.ts`, for clients, the tour and tests. */
const config: CodegenConfig = {
  schema: 'schema/schema.graphql',
  documents: 'schema/operations/*.graphql',
  generates: {
    'schema/generated/operations.ts': {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        strictScalars: true,
        scalars: {
          ID: 'string',
          DateTime: 'string',
          SafeInt: 'number',
          JSONObject: 'Record<string, unknown>',
        },
        immutableTypes: true,
      },
    },
  },
};

export default config;
