/**
 * `npm run check`: runs every `check:…` script of package.json, as many in parallel as there are cores, and continues
 * if one fails. Prints the output of each script when it ends, and a summary.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };

interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
}

const binaries = ['../node_modules/node/bin', '../node_modules/.bin'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const env = {
  ...process.env,
  PATH: [...binaries, process.env['PATH'] ?? ''].join(delimiter),
  ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
};

/** Runs the script without npm, which takes longer to start than some of the checks. */
async function run(name: string, command: string): Promise<Result> {
  const started = performance.now();
  const child = spawn(command, { shell: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  process.stdout.write(`── ${name}\n${output}`);
  return { name, passed: code === 0, seconds: (performance.now() - started) / 1_000 };
}

const started = performance.now();
// The slowest check starts first, so that the total time is shortest.
const waiting = Object.entries(packageJson.scripts)
  .filter(([name]) => name.startsWith('check:'))
  .sort(([name]) => (name === 'check:types' ? -1 : 0));
const results: Result[] = [];

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    results.push(await run(...next));
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, work));

process.stdout.write('\n');
for (const { name, passed, seconds } of results) {
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(20)} ${seconds.toFixed(1)} s\n`);
}
process.stdout.write(`${((performance.now() - started) / 1_000).toFixed(1)} s in all\n`);
process.exitCode = results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1;
