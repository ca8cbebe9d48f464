/** Checks the types of test/clients, where its own dependencies are installed: `npm run test:clients` installs them. */
import { existsSync } from 'node:fs';

if (existsSync(new URL('../test/clients/node_modules', import.meta.url)))
  await import('../test/clients/prepare.ts');
