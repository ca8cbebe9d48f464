/** One of two gateways is stopped: its clients move to the other, and miss no event that is written meanwhile. */
import { once } from 'node:events';
import type pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  AddSupportEngineerDocument,
  AssignTicketDocument,
  CreateTicketDocument,
} from '../../schema/generated/operations.ts';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { newId } from '../../src/platform/ids.ts';
import { grantEvent } from '../events/events.ts';
import { openPool, silent, write } from '../events/gateway.ts';
import { generousMs } from '../support/deadlines.ts';
import { measureLateness } from '../support/lateness.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { rawId } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import type { Subscriber } from './reception.ts';
import { committedEvents, expectContractKept, openSubscriber } from './subscriber.ts';

const socketCount = Number(process.env['DRAIN_SOCKETS'] ?? bySize(80, 1_000));
const stalledCount = 10;
const socketsPerEngineer = 45;
const stopDeadline = 5_000;

let running: AsyncDisposableStack;
let deployment: Deployment;
let pool: pg.Pool;
let redis: TestRedis;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  const database = begun.adopt(await createTestDatabase(), (made) => made.dispose());
  redis = begun.adopt(await startRedis(), (started) => started.stop());
  deployment = begun.use(await startDeployment({ databaseUrl: database.url, redisUrl: redis.url }));
  pool = begun.adopt(openPool(database.url, 2), (opened) => opened.end());
  running = begun.move();
});
afterAll(() => running?.disposeAsync());

type Engineer = { id: string; email: string };

/** Enough engineers for all sockets, each with a ticket, so that each subscription begins with a current state. */
async function addEngineers(port: number): Promise<Engineer[]> {
  const { world, clientOf } = deployment;
  const operator = clientOf(world.operator.email, port);
  const reporter = clientOf(world.acme.emails.reporter, port);
  const productId = world.acme.sites.main.products.jira;
  const engineers: Engineer[] = [];
  while (engineers.length * socketsPerEngineer < socketCount) {
    const number = engineers.length;
    const email = `moving-${number}@vendor.example`;
    const { addSupportEngineer: added } = await operator.execute(AddSupportEngineerDocument, {
      input: { email, name: `Engineer ${number}` },
    });
    const { createTicket: filed } = await reporter.execute(CreateTicketDocument, {
      input: { productId, summary: email, grantDataAccess: false },
    });
    if (!('id' in added) || !('id' in filed)) throw new Error(JSON.stringify({ added, filed }));
    await operator.execute(AssignTicketDocument, { input: { ticketId: filed.id, engineerId: added.id } });
    engineers.push({ email, id: rawId(added.id) });
  }
  return engineers;
}

/** Subscribes on a socket that stops reading at the first event. */
async function openStalled(port: number, token: string): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  await once(socket, 'message');
  const query = 'subscription { grantEvents(withCurrentState: true) { id } }';
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  await once(socket, 'message');
  socket.pause();
}

test(`SIGTERM with ${socketCount} sockets, ${stalledCount} of them stalled: gone within 5 s, and nothing is missed`, async () => {
  const { gateways, world, clientOf, tokenOf } = deployment;
  const [leaving, staying] = gateways;
  let isLeaving = false;
  await using stack = new AsyncDisposableStack();
  /** Acts as a load balancer: chooses the first gateway as long as it is ready. */
  const road = stack.adopt(await openTcpProxy(() => (isLeaving ? staying : leaving).port), (opened) =>
    opened.dispose(),
  );
  const engineers = await addEngineers(staying.port);
  const watcher = await openSubscriber(clientOf(world.services.watching, staying.port), {
    name: 'the watcher at the gateway that stays',
    mayReceive: () => true,
  });
  const clients: Subscriber[] = [];
  for (const [index, { id, email }] of engineers.entries()) {
    const stalled = index === 0 ? stalledCount : 0;
    const token = await tokenOf(email);
    await Promise.all(Array.from({ length: stalled }, () => openStalled(leaving.port, token)));
    const healthy = Math.min(socketsPerEngineer, socketCount - index * socketsPerEngineer) - stalled;
    const client = clientOf(email, road.port);
    clients.push(
      ...(await Promise.all(
        Array.from({ length: healthy }, (_, number) =>
          openSubscriber(client, {
            name: `client ${number} of ${email}`,
            mayReceive: ({ engineerIds }) => engineerIds.includes(id),
          }),
        ),
      )),
    );
  }
  expect(clients).toHaveLength(socketCount - stalledCount);
  expect(road.connections).toBe(clients.length);
  const before = new Set((await committedEvents(pool)).map(({ id }) => id));

  const bus = createRedisBus({
    ...{ url: redis.url, topology: 'SINGLE', channel: 'latchkey' },
    logger: silent,
  });
  stack.adopt(bus, () => bus.dispose());
  let written = 0;
  let isEnough = false;
  /** Writes each event after the previous one was delivered, so that no machine is overloaded. */
  async function writeOn(): Promise<void> {
    const organizationId = rawId(world.acme.organizationId);
    while (!isEnough) {
      const { id: engineerId = '' } = engineers[written % engineers.length] ?? {};
      const audience = { organizationId, siteId: newId(), reporterId: newId(), engineerIds: [engineerId] };
      const event = grantEvent({ audience, occurredAt: new Date() });
      await write(pool, event);
      bus.publish();
      written += 1;
      await watcher.hasReceived([event.id], generousMs);
    }
  }
  const writing = writeOn();
  writing.catch(() => undefined);
  await Promise.all(clients.map((client) => Promise.race([client.hasReceivedMore(3, generousMs), writing])));

  isLeaving = true;
  using lateness = measureLateness();
  const { code, tookMs } = await leaving.terminate();
  expect(code, 'exit code').toBe(0);
  expect(tookMs, 'milliseconds until it was gone').toBeLessThan(stopDeadline + lateness.allowance());
  await Promise.all(clients.map((client) => Promise.race([client.hasResumed(generousMs), writing])));
  await Promise.all(clients.map((client) => Promise.race([client.hasReceivedMore(1, generousMs), writing])));
  isEnough = true;
  await writing;

  const events = await committedEvents(pool, before);
  for (const client of clients) {
    await expectContractKept(client, events, { context: 'after moving', deadlineMs: generousMs });
    // On a slow machine a client may need longer than the three seconds in which it has to present its token.
    const losses = client.losses.filter((loss) => !loss.includes('connection: 4408'));
    expect(losses, `how ${client.name} lost its connections`).toEqual([
      'the gateway closed the connection: 1001 Going away',
    ]);
    expect(client.resumptions, `from where ${client.name} resumed`).toEqual([expect.any(String)]);
  }
  expect(road.connections, 'clients at the gateway that stays').toBe(clients.length);
  if (process.env['DRAIN_FIGURES'] !== undefined) {
    process.stdout.write(`gone after ${Math.round(tookMs)} ms, ${events.length} events written meanwhile\n`);
  }
}, 300_000);
