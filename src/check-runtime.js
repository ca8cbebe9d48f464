// `node --import` loads this before the scripts of package.json. It is plain JavaScript, because a Node without
// support for TypeScript would only report a syntax error or an unknown file extension.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const { node } = process.versions;
const isThere = (path) => existsSync(new URL(`../${path}`, import.meta.url));

/** What to do before the script can run; undefined when it can. */
function whatIsMissing() {
  if (!isThere('node_modules')) return 'Latchkey is not installed: run `npm ci`.';
  const generate = isThere('prisma/generated') && isThere('schema/generated') ? [] : ['npm run generate'];
  if (Number.parseInt(node, 10) < 24) {
    const commands = ['npm rebuild node', ...generate].join(' && ');
    return `Latchkey runs on Node 24, and this is Node ${node}: run \`${commands}\`, which installs Node 24 in node_modules.`;
  }
  if (generate.length > 0) return `The generated code is missing: run \`${generate}\`.`;
}

const missing = whatIsMissing();
if (missing !== undefined) {
  process.stderr.write(`${missing}\n`);
  process.exit(1);
}

// The next start need not compile the code again. Where the folder cannot be written, each start compiles it.
module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));
