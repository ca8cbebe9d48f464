import { defineConfig } from 'prisma/config';

// `prisma generate` needs no schema engine, yet the CLI insists on finding one and would download it.
// Any existing executable satisfies it; migrations are applied through the WASM engine instead.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
