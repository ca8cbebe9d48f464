import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig, variableNames } from '../src/config/environment.ts';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

/** Returns a gateway's variables as written in docker-compose.yml, with `${NAME:-default}` unresolved. */
function composeEnvironment(): Record<string, string> {
  const block = /\n {2}environment:\n((?: {4}.*\n)+)/.exec(read('docker-compose.yml'))?.[1] ?? '';
  return Object.fromEntries(
    [...block.matchAll(/^ {4}([A-Z_]+): (.*)$/gm)].map(([, name, value]) => [name, value]),
  );
}

test('docker-compose.yml sets only variables that a gateway reads, and is valid once it is filled in', () => {
  const environment = composeEnvironment();
  expect(Object.keys(environment).filter((name) => !variableNames.includes(name))).toEqual([]);
  const filledIn: Record<string, string> = {
    OIDC_ISSUER: 'https://login.vendor.example',
    OIDC_AUDIENCE: 'latchkey',
    OIDC_JWKS_URL: 'https://login.vendor.example/keys',
    CURSOR_SECRET: 'k'.repeat(32),
    DATABASE_RUNTIME_PASSWORD: 'p'.repeat(32),
    REDIS_PASSWORD: 'r'.repeat(32),
  };
  const variables = Object.fromEntries(
    Object.entries(environment).map(([name, text]) => [
      name,
      text.replace(/\$\{([A-Z_]+):[-?]([^}]*)\}/g, (whole, of, byDefault) =>
        whole.includes(':-') ? byDefault : (filledIn[of] ?? ''),
      ),
    ]),
  );
  expect(parseConfig({ ...variables, NODE_ENV: 'production', HOST: '0.0.0.0' })).toMatchObject({
    database: {
      ...{ kind: 'url', url: `postgresql://latchkey_gateway:${'p'.repeat(32)}@postgres:5432/latchkey` },
      ownerUrl: null,
    },
    redis: { topology: 'SINGLE', url: `redis://:${'r'.repeat(32)}@redis:6379` },
    identity: { kind: 'oidc', issuer: filledIn['OIDC_ISSUER'] },
  });
});

test('in docker-compose.yml, the gateways trust the proxy and nobody else', () => {
  const [, address] =
    /^ {4}networks: \{ default: \{ ipv4_address: (\S+) \} \}$/m.exec(read('docker-compose.yml')) ?? [];
  expect(address).toBe('172.30.53.250');
  expect(composeEnvironment()['TRUSTED_PROXIES']).toBe(`\${TRUSTED_PROXIES:-${address}}`);
});

test.each(['OIDC_ISSUER', 'OIDC_AUDIENCE', 'OIDC_JWKS_URL', 'CURSOR_SECRET'])(
  'docker-compose.yml does not start before %s is filled in',
  (name) => {
    expect(composeEnvironment()[name]).toMatch(new RegExp(`^\\$\\{${name}:\\?.+\\}$`));
  },
);

test('docker-compose.yml has no password of its own, and does not start before each is filled in', () => {
  const compose = read('docker-compose.yml');
  for (const name of ['POSTGRES_PASSWORD', 'DATABASE_RUNTIME_PASSWORD', 'REDIS_PASSWORD']) {
    const uses = [...compose.matchAll(new RegExp(`\\$\\{?${name}([^}]*)`, 'g'))].map(([, rest]) => rest);
    expect(uses.length).toBeGreaterThanOrEqual(2);
    for (const rest of uses) expect(rest).toMatch(/^:\?.+/);
  }
  expect(compose).toMatch(/redis-server .*--requirepass/);
});

test('the image runs on Node 24 as an unprivileged user, in production', () => {
  const dockerfile = read('Dockerfile');
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  expect(bases).toHaveLength(3);
  for (const base of bases) expect(base).toMatch(/^node:24-/);
  const last = dockerfile.slice(dockerfile.lastIndexOf('FROM '));
  expect(last).toMatch(/^USER node$/m);
  expect(last).toMatch(/^ENV NODE_ENV=production /m);
  expect(last).toMatch(/^HEALTHCHECK /m);
});
