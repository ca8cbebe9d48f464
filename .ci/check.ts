/** `npm run check`: every `check:…` script of package.json, all of them even if one fails, and a summary. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import packageJson from '../package.json' with { type: 'json' };

const results: { name: string; passed: boolean; seconds: number }[] = [];
for (const name of Object.keys(packageJson.scripts).filter((script) => script.startsWith('check:'))) {
  process.stdout.write(`\n── ${name}\n`);
  const started = performance.now();
  const [code] = await once(spawn('npm', ['run', '--silent', name], { stdio: 'inherit' }), 'exit');
  results.push({ name, passed: code === 0, seconds: (performance.now() - started) / 1_000 });
}

process.stdout.write('\n');
for (const { name, passed, seconds } of results) {
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(20)} ${seconds.toFixed(1)} s\n`);
}
process.exitCode = results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1;
