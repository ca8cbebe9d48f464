import { defineConfig } from 'prisma/config';

// `prisma generate` needs no schema engine, but Prisma's command line downloads one unless it is told of an
// executable. Any does. Commands that need the engine (`prisma migrate`) download it.
if (process.argv.includes('generate')) process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

const url = process.env['DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
});
