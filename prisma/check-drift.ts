/** `npm run check:migrations`: fails if schema.prisma says something that the migrations do not. */
import { findDriftOnOwnServer } from './drift.ts';

const drift = await findDriftOnOwnServer();
if (drift !== '') {
  process.stdout.write(
    `The migrations do not lead to schema.prisma. \`npm run migration:new -- <name>\` writes what is missing:\n\n${drift}`,
  );
  process.exitCode = 1;
}
