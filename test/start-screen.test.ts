import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Config } from '../src/config/config.ts';
import { parseConfig } from '../src/config/environment.ts';
import { personas } from '../src/sample-data/personas.ts';
import { startScreen } from '../src/start-screen.ts';

const embedded = parseConfig({});
const deployed: Config = parseConfig({
  NODE_ENV: 'production',
  DATABASE_URL: 'postgresql://latchkey:hunter2@db.internal:5432/latchkey',
  OIDC_ISSUER: 'https://login.vendor.example',
  OIDC_AUDIENCE: 'latchkey',
  OIDC_JWKS_URL: 'https://login.vendor.example/keys',
  CURSOR_SECRET: 'k'.repeat(32),
});

/** The commands that a start screen shows. */
const commandsOf = (screen: readonly string[]) =>
  screen.filter((line) => /^ +npm run /.test(line)).map((line) => line.trim());

test('a first start shows the sample people and three commands to paste', () => {
  const screen = startScreen('http://127.0.0.1:4000', embedded, personas);
  const text = screen.join('\n');
  for (const { email } of personas) expect(text).toContain(email);
  for (const path of ['/graphql', '/healthz', '/readyz'])
    expect(text).toContain(`http://127.0.0.1:4000${path}`);
  expect(text).toContain('embedded PostgreSQL in ./data');
  expect(commandsOf(screen)).toEqual(['npm run watch', 'npm run approve', 'npm run tour']);
});

test('the commands are scripts of package.json, and name the gateway’s URL if it is not the default', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const commands = commandsOf(startScreen('http://127.0.0.1:4100', embedded, personas));
  expect(commands).toHaveLength(3);
  for (const command of commands) {
    const [, name = ''] = /^npm run (\w+) -- http:\/\/127\.0\.0\.1:4100$/.exec(command) ?? [];
    expect(scripts).toHaveProperty(name);
  }
});

test('a deployment shows its configuration without secrets, and no people', () => {
  const screen = startScreen('http://0.0.0.0:4000', deployed, []);
  const text = screen.join('\n');
  expect(text).toContain('db.internal:5432/latchkey');
  expect(text).toContain('BOOTSTRAP_OPERATOR_EMAIL');
  expect(text).not.toMatch(/hunter2|kkkk|GraphiQL|dev\/token|@acme|@vendor\.example/);
  expect(commandsOf(screen)).toEqual([]);
});
