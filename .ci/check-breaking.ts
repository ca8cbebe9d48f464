/**
 * `npm run check:breaking`: fails if the schema of the working tree breaks clients of the schema committed before it.
 * Additions pass, and so do the breaking changes in schema/approved-breaking-changes.txt.
 * `npm run check:breaking -- --approve` adds the present ones to that file, to be committed with the schema, and removes
 * those that were taken back since.
 */
import { fileURLToPath } from 'node:url';
import { reportBreakingChanges } from './breaking-changes.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { passes, said } = await reportBreakingChanges(root, process.argv.includes('--approve'));
(passes ? process.stdout : process.stderr).write(said);
if (!passes) process.exitCode = 1;
