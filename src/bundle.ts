/**
 * The code of the gateway in a few files, which load in half the time and memory of its some 1,500 modules. `npm ci` makes it:
 * build/bundle.ts. Only a bundle of the very sources that are here is used; otherwise the sources themselves are.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** As deep as `src/<room>`, so that relative URLs in the sources lead to the same files from here. */
const folder = join(root, 'dist/gateway');

export const bundle = {
  folder,
  entry: join(folder, 'gateway.js'),
  /** Names the sources that the bundle was made of. */
  stamp: join(folder, 'sources.txt'),
} as const;

/** The bundle, if it was made of the sources that are here; undefined otherwise. */
export function findBundle(): string | undefined {
  try {
    return readFileSync(bundle.stamp, 'utf8') === stampOfSources() ? bundle.entry : undefined;
  } catch {
    // There is none, or a part of the sources is missing, as in a checkout without generated code.
    return undefined;
  }
}

/** Loads the code of the gateway: from the bundle if that is up to date. */
export function loadGateway(): Promise<typeof import('./gateway.ts')> {
  return import(findBundle() ?? './gateway.ts');
}

/** Differs as soon as one of the files does in name, size or time of change (to the second, as archives keep it). */
export function stampOfSources(): string {
  const files = [
    ...['src', 'prisma/generated/client'].flatMap((name) =>
      readdirSync(join(root, name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    ),
    join(root, 'package-lock.json'),
  ];
  const facts = files.sort().map((file) => {
    const { size, mtimeMs } = statSync(file);
    return `${file.slice(root.length)} ${size} ${Math.floor(mtimeMs / 1000)}`;
  });
  return createHash('sha256').update(facts.join('\n')).digest('hex');
}
