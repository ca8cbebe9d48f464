/**
 * The image as the Dockerfile says it, built in folders and started as docker-compose.yml starts it. At full size npm
 * installs its packages and Prisma generates its code; on an ordinary day both are those of the project.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { urlAs } from '../../src/platform/database-roles.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { compileCache } from '../support/compile-cache.ts';
import { administer } from '../support/databases.ts';
import { createEmptyDatabase, createTestDatabase, gatewayUrl } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { fullSize } from '../support/size.ts';
import { buildImage, type Image, isIgnored, parseDockerfile, toEnd } from './dockerfile.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const shipped = (path: string): Promise<string> => readFile(join(project, path), 'utf8');

let image: Image;
let app: string;
/** Where `node` is found, as in the image. */
let path: string;
const building = new AsyncDisposableStack();

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-image-'));
  building.defer(async () => {
    await toEnd(['chmod', '-R', 'u+w', folder], { cwd: '/', env: { PATH: '/usr/bin:/bin' } });
    await rm(folder, { recursive: true, force: true });
  });
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'bin'));
  const node = join(folder, 'bin/node');
  await (fullSize ? copyFile(process.execPath, node) : symlink(process.execPath, node));
  path = `${join(folder, 'bin')}:/usr/bin:/bin`;
  const context = { folder: project, dockerignore: await shipped('.dockerignore') };
  image = await buildImage(
    parseDockerfile(await shipped('Dockerfile')),
    context,
    folder,
    fullSize ? run : borrow,
  );
  app = join(image.root, image.workdir);
  await toEnd(['chmod', '-R', 'a-w', image.root], { cwd: '/', env: { PATH: path } });
}, 1_200_000);
afterAll(() => building.disposeAsync());

/** Runs the command as the build does; npm reads what it has kept of the registry before. */
async function run(command: string, workdir: string): Promise<void> {
  const env = { HOME: homedir(), PATH: path, npm_config_prefer_offline: 'true' };
  await toEnd(['/bin/sh', '-c', command], { cwd: workdir, env });
}

/** Puts in place what the command would make. */
async function borrow(command: string, workdir: string): Promise<void> {
  if (command.startsWith('npm ci '))
    return symlink(join(project, 'node_modules'), join(workdir, 'node_modules'));
  const made = command.endsWith('prisma/build/index.js generate') ? 'prisma/generated' : 'dist';
  if (made === 'dist') expect(command).toBe('node build/bundle.ts');
  await cp(join(project, made), join(workdir, made), { recursive: true, preserveTimestamps: true });
}

/** What a container has: the variables of the image, and its user where that is possible and its files are readable. */
function asContainer(environment: Record<string, string>) {
  const mayBecome = fullSize && process.getuid?.() === 0;
  return {
    cwd: app,
    env: {
      ...(fullSize ? {} : compileCache),
      ...{ PATH: path, HOME: '/', TMPDIR: app },
      ...image.environment,
      ...environment,
    },
    ...(mayBecome ? { uid: users[image.user], gid: users[image.user] } : {}),
  };
}

/** Of the image's base. */
const users: Record<string, number> = { node: 1_000 };

test('the image holds what a gateway needs, and nothing else', async () => {
  expect((await readdir(app)).sort()).toEqual([
    ...['LICENSE', 'dist', 'node_modules', 'package-lock.json', 'package.json', 'prisma', 'src'],
  ]);
  expect((await readdir(join(app, 'prisma'))).sort()).toEqual(['generated', 'migrations']);
  expect((await readdir(join(app, 'prisma/generated'))).sort()).toEqual(['client', 'pothos.ts']);
});

test('the image runs the bundle of its sources', async () => {
  const { findBundle }: typeof import('../../src/bundle.ts') = await import(join(app, 'src/bundle.ts'));
  expect(findBundle()).toBe(join(app, 'dist/gateway/gateway.js'));
});

test.runIf(fullSize)('the image has no package of development', async () => {
  const { devDependencies, dependencies } = JSON.parse(await shipped('package.json'));
  const packages = new Set(await readdir(join(app, 'node_modules')));
  const named = Object.keys(devDependencies).filter((name) => !name.startsWith('@'));
  expect(named.filter((name) => packages.has(name))).toEqual([]);
  expect(Object.keys(dependencies).filter((name) => !packages.has(name.split('/')[0] ?? ''))).toEqual([]);
});

test('a build gets no secret, no data and no code that was generated before', async () => {
  const dockerignore = await shipped('.dockerignore');
  const left = [
    '.env',
    '.git/config',
    'data/postgres',
    'node_modules/pg',
    'prisma/generated/client/client.ts',
  ];
  expect(left.filter((each) => !isIgnored(each, dockerignore))).toEqual([]);
  const copied = [
    'src/main.ts',
    'prisma/schema.prisma',
    'prisma/migrations/20261101000000_init/migration.sql',
  ];
  expect(copied.filter((each) => isIgnored(each, dockerignore))).toEqual([]);
});

/** Returns the URL of a migrated database for a gateway, and deletes the database after the test. */
async function migratedDatabase(): Promise<string> {
  const { url, dispose } = await createTestDatabase();
  onTestFinished(dispose);
  return gatewayUrl(url);
}

/** The same, of a database that the image has migrated by the command of the service `database`. */
async function setUpDatabase(): Promise<string> {
  const { serverUrl } = inject('postgres');
  const database = await createEmptyDatabase();
  const id = randomBytes(4).toString('hex');
  const [owner, runtime] = [`owner_${id}`, `gateway_${id}`];
  onTestFinished(async () => {
    await database.dispose();
    for (const role of [owner, runtime]) await administer(serverUrl, `DROP ROLE IF EXISTS ${role}`);
  });
  const [lines = ''] =
    /- node\n +- src\/database-setup\.ts\n(?: +- --.*\n)+/.exec(await shipped('docker-compose.yml')) ?? [];
  const command = [...lines.matchAll(/- (.*)$/gm)].map(([, part = '']) =>
    part.replace(/^--url=.*/, `--url=${database.url}`),
  );
  const password = randomBytes(8).toString('hex');
  await toEnd(
    [...command, '--owner', owner, '--runtime', runtime],
    asContainer({ DATABASE_RUNTIME_PASSWORD: password }),
  );
  return urlAs(database.url, { name: runtime, password });
}

test('the image runs a gateway, with read-only files, until SIGTERM', async () => {
  const databaseUrl = await (fullSize ? setUpDatabase() : migratedDatabase());
  await using running = new AsyncDisposableStack();
  const redis = running.adopt(await startRedis(), (started) => started.stop());
  const issuer = running.use(await startIssuer());
  const sign = await issuer.addKey('ES256');
  const container = asContainer({
    PORT: '0',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    OIDC_ISSUER: issuerName,
    OIDC_AUDIENCE: audienceName,
    OIDC_JWKS_URL: issuer.jwksUrl,
    CURSOR_SECRET: 'k'.repeat(32),
    BOOTSTRAP_OPERATOR_EMAIL: 'first@vendor.example',
    // A stop takes as long as the machine needs.
    SHUTDOWN_GRACE_SECONDS: '300',
  });
  const [program = '', ...parameters] = image.command;
  const gateway = spawn(program, parameters, { ...container, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(gateway, 'close');
  running.defer(async () => {
    gateway.kill('SIGKILL');
    await ended;
  });
  let said = '';
  for (const stream of [gateway.stdout, gateway.stderr])
    stream.on('data', (text) => {
      said += text;
    });
  const gone = ended.then(() => Promise.reject(new Error(said)));
  gone.catch(() => undefined);
  while (!said.includes('Latchkey is running')) await Promise.race([once(gateway.stdout, 'data'), gone]);
  const [, port = ''] = /"http:\/\/0\.0\.0\.0:(\d+)"/.exec(said) ?? [];
  const address = `http://127.0.0.1:${port}`;
  expect((await fetch(`${address}/readyz`)).status).toBe(200);
  const email = 'first@vendor.example';
  const answer = await fetch(`${address}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await sign({ sub: 'first', email, email_verified: true })}`,
    },
    body: '{"query":"{ viewer { __typename account { email } } }"}',
  });
  expect(await answer.json()).toEqual({ data: { viewer: { __typename: 'Viewer', account: { email } } } });
  const inside = { ...container, env: { ...container.env, PORT: port } };
  await toEnd(image.healthCheck, inside);
  gateway.kill('SIGTERM');
  expect(await ended, said).toEqual([0, null]);
  await expect(toEnd(image.healthCheck, inside)).rejects.toThrow('ended with 1');
});
