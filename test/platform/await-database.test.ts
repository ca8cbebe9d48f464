import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, inject, onTestFinished, test } from 'vitest';
import { awaitDatabase } from '../../src/platform/await-database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { administer } from '../support/databases.ts';
import { generousMs } from '../support/deadlines.ts';
import { reservePort } from '../support/ports.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** Waits for the run's server by another port, with the lines of the log so far. */
async function waiting(patienceMs: number, onLine: (port: number) => void = () => undefined) {
  const port = await reservePort();
  const url = new URL(inject('postgres').serverUrl);
  const { port: ofServer } = url;
  url.host = `127.0.0.1:${port}`;
  const lines: string[] = [];
  const logger = createLogger('info', {
    write(line) {
      lines.push(line);
      onLine(port);
    },
  });
  const stop = new AbortController();
  const { signal } = stop;
  const done = awaitDatabase(url.href, { variable: 'DATABASE_URL', patienceMs, logger, signal });
  return { done, lines, stop, port, ofServer: Number(ofServer) };
}

test('a start waits until the database is there, and says so', async () => {
  const said = Promise.withResolvers<void>();
  const { done, lines, port, ofServer } = await waiting(generousMs, () => said.resolve());
  await said.promise;
  const server = createServer((socket) => {
    const onward = connect(ofServer, '127.0.0.1');
    for (const each of [socket, onward]) each.on('error', () => undefined);
    socket.pipe(onward).pipe(socket);
  }).listen(port, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await done;
  expect(lines[0]).toMatch(/waits for its database/);
  expect(lines[0]).toMatch(/ECONNREFUSED/);
});

test('a start gives up when its time is over, and when it is to stop', async () => {
  await expect((await waiting(1)).done).rejects.toThrow(/cannot be reached .*ECONNREFUSED/);
  const said = Promise.withResolvers<void>();
  const { done, stop } = await waiting(generousMs, () => said.resolve());
  await said.promise;
  stop.abort();
  await expect(done).rejects.toThrow(/cannot be reached/);
});

test('a start waits until the database takes writes', async () => {
  const { url, dispose } = await createTestDatabase();
  onTestFinished(dispose);
  const { serverUrl } = inject('postgres');
  const name = new URL(url).pathname.slice(1);
  const readOnly = (value: string) =>
    administer(serverUrl, `ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`);
  await readOnly('on');
  const said = Promise.withResolvers<string>();
  const logger = createLogger('info', { write: said.resolve });
  const done = awaitDatabase(url, { variable: 'DATABASE_URL', patienceMs: generousMs, logger });
  expect(await Promise.race([said.promise, done])).toMatch(/read-only.*waits for its database/);
  await readOnly('off');
  await done;
});

test('a start does not wait where somebody has made a mistake', async () => {
  const { serverUrl } = inject('postgres');
  const logger = createLogger('silent');
  const wrong = `${new URL('/no_such_database', serverUrl)}`;
  await expect(
    awaitDatabase(wrong, { variable: 'DATABASE_URL', patienceMs: generousMs, logger }),
  ).rejects.toThrow(/does not exist/);
});
