import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { MailConfig } from '../../src/config/config.ts';
import { singleMailsAnHour } from '../../src/notifications/digest.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startMailServer } from '../support/mail-server.ts';
import { reservePort } from '../support/ports.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const from = { name: 'Latchkey', address: 'support-access@vendor.example' };

let world: World;
/** The gateway through which the world was created. It sends no mail. */
let origin: TestGateway;

beforeAll(async () => {
  ({ gateway: origin, world } = await startGatewayWithWorld({ maintenance: false }));
  // Role holders are told what the operator made count.
  await origin.sql.query('DELETE FROM mails');
});

afterAll(() => origin?.dispose());
afterEach(() => origin.sql.query('DELETE FROM mails'));

function startGatewayWithMail(mail: MailConfig): Promise<TestGateway> {
  return startGateway({ databaseUrl: origin.databaseUrl, config: { mail } });
}

/** Creates a request that awaits the only Guard admin, approved through this gateway. */
async function awaitGuard(gateway: TestGateway): Promise<void> {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const { ticketId } = await fileTicket(gateway, world, { site: 'restricted' });
  await done(admin, 'approveDataAccess', { ticketId, path: 'SUPPORT_PORTAL' });
}

test('with two running gateways, each mail is sent by one of them, within seconds of the approval', async () => {
  await using server = await startMailServer();
  const mail: MailConfig = { kind: 'smtp', url: server.url, from };
  await using gateway = await startGatewayWithMail(mail);
  await using other = await startGatewayWithMail(mail);
  // As many as one person gets as single mails.
  const requests = singleMailsAnHour;
  for (let request = 0; request < requests; request += 1)
    await awaitGuard(request % 2 === 0 ? gateway : other);
  await server.accepted(requests);
  // Stopping a gateway ends its deliveries: no more mail can arrive.
  await Promise.all([gateway.dispose(), other.dispose()]);
  expect(server.received).toHaveLength(requests);
  expect(new Set(server.received.map(({ email }) => email.messageId)).size).toBe(requests);
});

test('a gateway whose mail server hangs still runs commands, and stops within seconds', async () => {
  const hanging = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  const port = await reservePort();
  const connected = once(hanging, 'connection');
  hanging.listen(port, '127.0.0.1');
  onTestFinished(() => {
    hanging.close();
  });
  const mail: MailConfig = { kind: 'smtp', url: `smtp://127.0.0.1:${port}`, from };
  await using gateway = await startGatewayWithMail(mail);
  await awaitGuard(gateway);
  await connected;
  await awaitGuard(gateway);
  // The mail server never responds: without a deadline this would never end.
  await gateway.dispose();
});

test('without a mail server, mail is written to the data folder', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-data-'));
  onTestFinished(() => rm(dataFolder, { recursive: true, force: true }));
  const folder = join(dataFolder, 'mail');
  await mkdir(folder);
  const watcher = watch(folder);
  onTestFinished(() => watcher.close());
  const appeared = once(watcher, 'change');
  await using gateway = await startGatewayWithMail({ kind: 'files', dataFolder, from });
  await awaitGuard(gateway);
  await appeared;
  await gateway.dispose();
  const [file = '', ...more] = await readdir(folder);
  expect(more).toEqual([]);
  const email = await PostalMime.parse(await readFile(join(folder, file)));
  expect(email).toMatchObject({ from, to: [{ address: world.acme.emails.guardAdmin }] });
});

test('a gateway that sends no mail logs that once, when it starts', async () => {
  const lines: string[] = [];
  const logger = createLogger('warn', { write: (line) => void lines.push(line) });
  await using _gateway = await startGateway({ databaseUrl: origin.databaseUrl, logger });
  expect(lines.filter((line) => line.includes('SMTP_URL'))).toHaveLength(1);
});
