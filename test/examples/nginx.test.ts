/** docs/examples/nginx.conf, in a real nginx in front of a backend that knows nothing of Latchkey. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Decider, EvaluationItem } from '../../src/access/evaluation.ts';
import { startAccessServer } from '../http/access/fixture.ts';
import { startNginx } from '../support/nginx.ts';
import { reservePort } from '../support/ports.ts';

/** What Latchkey was asked, and which paths reached the backend. */
const asked: EvaluationItem[] = [];
const reached: string[] = [];

const decide: Decider<string> = async (items) => {
  asked.push(...items);
  return items.map((item) => {
    const decision = 'evaluation' in item && item.evaluation.resource.id === 'ACME-1';
    return { decision, context: { code: decision ? 'ALLOWED' : 'NO_SESSION', evaluation: 'QXVkaXQ6MQ==' } };
  });
};

async function startBackend(stack: AsyncDisposableStack): Promise<number> {
  const backend = createServer(({ url = '' }, response) => {
    reached.push(url);
    response.end(`The work item at ${url}`);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  stack.defer(async () => {
    backend.closeAllConnections();
    await new Promise((closed) => backend.close(closed));
  });
  return (backend.address() as { port: number }).port;
}

/** Starts nginx with the example, whose addresses are replaced by these; returns its URL. */
async function startExample(
  stack: AsyncDisposableStack,
  to: { gateway: string; token: string; backend: number },
): Promise<string> {
  const port = await reservePort();
  const example = await readFile(new URL('../../docs/examples/nginx.conf', import.meta.url), 'utf8');
  const configuration = example
    .replace('127.0.0.1:4000', new URL(to.gateway).host)
    .replace('127.0.0.1:4200', `127.0.0.1:${to.backend}`)
    .replace('127.0.0.1:8080', `127.0.0.1:${port}`);
  const files = {
    'nginx.conf': configuration,
    'engineers.htpasswd': 'erin@vendor.example:{PLAIN}secret\n',
    'latchkey-token.conf': `proxy_set_header Authorization "Bearer ${to.token}";\n`,
  };
  const url = `http://127.0.0.1:${port}`;
  await startNginx(stack, files, url);
  return url;
}

let url: string;
let stopGateway: () => Promise<void>;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  const backend = await startBackend(running);
  const gateway = await startAccessServer({ decide });
  stopGateway = () => gateway[Symbol.asyncDispose]();
  running.defer(stopGateway);
  url = await startExample(running, { gateway: gateway.origin, token: gateway.token, backend });
});
afterAll(() => running.disposeAsync());
beforeEach(() => {
  asked.length = 0;
  reached.length = 0;
});

const signIn = `Basic ${Buffer.from('erin@vendor.example:secret').toString('base64')}`;

/** Requests the path as it is written: `fetch` would normalize it. */
async function request(
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; head: string; body: string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  const all = { host: 'acme.example', authorization: signIn, 'x-support-ticket': 'SUP-1', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\nconnection: close\r\n${lines.join('')}\r\n`);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n', 2);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body };
}

const question = {
  subject: { type: 'support_engineer', id: 'erin@vendor.example' },
  action: { name: 'work_item.read' },
  resource: {
    ...{ type: 'work_item', id: 'ACME-1' },
    properties: { site: 'https://acme.example', product: 'jira' },
  },
  context: { ticket: 'SUP-1' },
};

test('what Latchkey allows reaches the backend', async () => {
  const { status, head, body } = await request('/work-items/ACME-1');
  expect({ status, body }).toMatchObject({ status: 200, body: expect.stringContaining('The work item at') });
  expect(head).toContain('\r\nX-Access-Code: ALLOWED');
  expect(asked).toEqual([{ evaluation: question }]);
  expect(reached).toEqual(['/work-items/ACME-1']);
});

test('what it refuses does not, and the engineer is told why', async () => {
  const { status, head } = await request('/work-items/ACME-2');
  expect(status).toBe(403);
  expect(head).toContain('\r\nX-Access-Code: NO_SESSION');
  expect(head).toContain('\r\nX-Access-Evaluation: QXVkaXQ6MQ==');
  expect(asked).toHaveLength(1);
  expect(reached).toEqual([]);
});

test.each(['Basic bm9ib2R5Om5v', 'Basic ZXJpbkB2ZW5kb3IuZXhhbXBsZTp3cm9uZw==', 'Bearer abc'])(
  'nobody asks in the name of somebody who has not signed in: %s',
  async (authorization) => {
    expect((await request('/work-items/ACME-1', { headers: { authorization } })).status).toBe(401);
    expect(asked).toEqual([]);
    expect(reached).toEqual([]);
  },
);

test('the client can name the ticket, and nothing else of the question', async () => {
  const headers = {
    ...{
      'x-access-engineer': 'sam@vendor.example',
      'x-access-session': 'x',
      'x-access-site': 'https://b.example',
    },
    ...{ 'x-access-resource-id': 'ACME-1', 'x-access-engineer-country': 'IE', 'x-support-ticket': 'SUP-2' },
  };
  await request('/work-items/ACME-2', { headers });
  const resource = { ...question.resource, id: 'ACME-2' };
  expect(asked).toEqual([{ evaluation: { ...question, resource, context: { ticket: 'SUP-2' } } }]);
});

test('without a ticket the answer is no', async () => {
  expect((await request('/work-items/ACME-2', { headers: { 'x-support-ticket': '' } })).status).toBe(403);
});

test.each([
  ['/work-items/ACME-1?fields=secret', '/work-items/ACME-1'],
  ['//work-items//ACME-1', '/work-items/ACME-1'],
  ['/work-items/%41CME-1', '/work-items/ACME-1'],
  ['/x/../work-items/ACME-1', '/work-items/ACME-1'],
])('the backend gets the path that was asked about: %s', async (path, expected) => {
  expect((await request(path)).status).toBe(200);
  expect(asked).toEqual([{ evaluation: question }]);
  expect(reached).toEqual([expected]);
});

test('a path that leads elsewhere is asked about as what it leads to', async () => {
  expect((await request('/work-items/ACME-1%2f..%2fACME-9')).status).toBe(403);
  expect(asked).toMatchObject([{ evaluation: { resource: { id: 'ACME-9' } } }]);
  expect(reached).toEqual([]);
});

test.each([
  ...['/', '/work-items', '/work-items/', '/work-items/acme-1', '/work-items/ACME-1/', '/admin', '/latchkey'],
  ...['/work-items/ACME-1/../../admin', '/work-items/ACME-1%00', '/work-items/ACME-1%0a'],
  ...['/work-items/ACME-1;x', '/work-items/ACME-1%20', '/work-items/ACME-1/comments'],
])('every other path is closed: %s', async (path) => {
  expect([400, 404]).toContain((await request(path)).status);
  expect(asked).toEqual([]);
  expect(reached).toEqual([]);
});

test.each(['POST', 'PUT', 'DELETE'])('a work item cannot be changed: %s', async (method) => {
  const headers = { 'content-length': '0' };
  expect((await request('/work-items/ACME-1', { method, headers })).status).toBe(403);
  expect(reached).toEqual([]);
});

describe('while Latchkey does not answer', () => {
  test('nothing reaches the backend', async () => {
    await stopGateway();
    expect((await request('/work-items/ACME-1')).status).toBe(500);
    expect(reached).toEqual([]);
  });
});
