/** The packed client, used as its README says: by a program in Node, by a web page, and from TypeScript. */
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import clientPackage from '../../client/package.json' with { type: 'json' };
import { launchBrowser } from '../support/browser.ts';
import { generousMs } from '../support/deadlines.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { bySize } from '../support/size.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { done } from '../support/world.ts';
import { installClient } from './installed-client.ts';
import { startStaticServer } from './static-server.ts';

const run = promisify(execFile);
const readme = readFileSync('client/README.md', 'utf8');

/** The first code block of the README in this language. */
const example = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(readme)?.[1] ?? '';

let client: Awaited<ReturnType<typeof installClient>>;
let site: Awaited<ReturnType<typeof startStaticServer>>;
let gateway: TestGateway;
let fileTicket: () => Promise<string>;
let page = '';
let token = '';
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  client = stack.use(await installClient());
  site = stack.use(await startStaticServer(client.folder, { '/': () => page, '/token': () => token }));
  gateway = stack.use(await startGateway({ config: { allowedOrigins: [site.origin] } }));
  fileTicket = await prepareTickets();
});
afterAll(() => stack.disposeAsync());

/** Adds the least that a ticket needs. Returns what files one and assigns the engineer, and resolves with its key. */
async function prepareTickets(): Promise<() => Promise<string>> {
  const operator = await gateway.as('operator@vendor.example');
  const engineer = await done(operator, 'addSupportEngineer', { email: 'erin@vendor.example', name: 'Erin' });
  const { id: organizationId } = await done(operator, 'createOrganization', { name: 'Acme' });
  const at = { organizationId, url: 'https://acme.example', name: 'Acme', experience: 'CENTRALIZED' };
  const site = await done(operator, 'createSite', at);
  const product = await done(operator, 'licenseProduct', { siteId: site.id, key: 'jira', name: 'Jira' });
  await done(operator, 'addUser', { organizationId, email: 'rita@acme.example', name: 'Rita' });
  const reporter = await gateway.as('rita@acme.example');
  return async () => {
    const asked = { productId: product.id, summary: 'It is slow', grantDataAccess: false };
    const ticket = await done(reporter, 'createTicket', asked);
    await done(operator, 'assignTicket', { ticketId: ticket.id, engineerId: engineer.id });
    return ticket.key;
  };
}

const installed = (pattern: string): string[] =>
  globSync(pattern, { cwd: join(client.folder, 'node_modules', clientPackage.name) }).sort();

test('the package has the built files with their types, the README and the license', () => {
  const names = globSync('*.ts', { cwd: 'client/src' }).map((file) => file.replace(/\.ts$/, ''));
  const built = names.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
  expect(installed('**/*.*')).toEqual([...built, 'README.md', 'package.json'].sort());
  expect(installed('LICENSE')).toEqual(['LICENSE']);
});

test('the example for Node prints the events', async () => {
  const program = join(client.folder, 'example.mjs');
  await writeFile(program, example('js').replace('http://127.0.0.1:4000', gateway.url));
  const running = runProgram(program);
  await running.printed('Watching as Erin');
  await running.printed(`REASSIGNED ${await fileTicket()}`);
  running.interrupt();
  await running.ended;
});

test('the example for browsers shows each event once, also those of a lost connection', async () => {
  const proxy = stack.adopt(await openTcpProxy(Number(new URL(gateway.url).port)), (open) => open.dispose());
  ({ token } = await gateway.as('erin@vendor.example'));
  page = example('html').replace('https://gateway.example', `http://127.0.0.1:${proxy.port}`);
  await using browser = await launchBrowser();
  const tab = await browser.newPage();
  const failures: string[] = [];
  tab.on('pageerror', (error) => failures.push(String(error)));
  await tab.goto(site.origin);
  const shown = (text: string) => tab.getByText(text).waitFor({ timeout: generousMs });

  await shown('Watching as Erin.');
  const before = await fileTicket();
  await shown(`REASSIGNED ${before}.`);
  proxy.cut();
  const during = await fileTicket();
  proxy.resume();
  await shown(`REASSIGNED ${during}.`);
  const after = await fileTicket();
  await shown(`REASSIGNED ${after}.`);

  const events = ((await tab.locator('body').textContent()) ?? '').match(/[A-Z]+ SUP-\d+/g);
  expect(events).toEqual([before, during, after].map((key) => `REASSIGNED ${key}`));
  expect(failures).toEqual([]);
});

test('its types are right for a strict program, in Node and in browsers', async () => {
  const program = `
    import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
    import { createGatewayClient, RequestFailedError, type ResumingSubscription } from '${clientPackage.name}';

    type GrantEvent = { id: string; cursor: string; type: string };
    declare const typed: TypedDocumentNode<{ grantEvents: GrantEvent }, { after?: string | null }>;
    declare const withoutAfter: TypedDocumentNode<{ grantEvents: GrantEvent }, { first: number }>;
    const gateway = createGatewayClient({ url: 'http://127.0.0.1:4000', token: async () => 'token' });
    const eventOf = (data: { grantEvents: GrantEvent }): GrantEvent => data.grantEvents;
    const first: ResumingSubscription<GrantEvent> = gateway.subscribeWithResume({ document: typed, eventOf });
    const second = gateway.subscribeWithResume({
      document: 'subscription …',
      variables: { withCurrentState: true },
      eventOf,
    });
    for await (const event of second) event.type satisfies string;
    // @ts-expect-error: it could not resume
    gateway.subscribeWithResume({ document: withoutAfter, eventOf });
    const { viewer } = await gateway.execute<{ viewer: { id: string } }>('{ viewer { id } }', {});
    viewer.id satisfies string;
    new RequestFailedError('CODE', 'message', null).status satisfies number | null;
    await first.dispose();
  `;
  await writeFile(join(client.folder, 'program.ts'), program);
  await writeFile(join(client.folder, 'package.json'), '{ "type": "module" }');
  const options =
    '--strict --exactOptionalPropertyTypes --noEmit --target es2022 --lib es2024,esnext.disposable,dom';
  // A full run also checks the types of the dependencies.
  const size = bySize('--skipLibCheck', '');
  for (const module of ['--module nodenext', '--module esnext --moduleResolution bundler']) {
    const args = `${options} ${module} ${size} program.ts`.split(/ +/);
    const { stdout } = await run(resolve('node_modules/.bin/tsc'), args, { cwd: client.folder }).catch(
      (error) => error,
    );
    expect(stdout, module).toBe('');
  }
});
