/**
 * The database is unavailable while the fields of an event are read: nothing follows the event before it is delivered.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { rawId } from '../support/rows.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';
import { subscribeOver, type Transport, transports } from './transports.ts';

/** Milliseconds. */
const statementMs = 1_000;
const outage = 4_000;

let stack: AsyncDisposableStack;
/** Decides. Its database is never unavailable. */
let office: TestGateway;
let world: World;
/** Between the other gateway and its database. */
let proxy: TcpProxy;
/** The statements of that gateway. */
let statements: string[] = [];

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  ({ gateway: office, world } = stack.use(await startGatewayWithWorld({ maintenance: false })));
  proxy = stack.adopt(await openTcpProxy(Number(new URL(office.databaseUrl).port)), (opened) =>
    opened.dispose(),
  );
});
afterAll(() => stack.disposeAsync());

/** A gateway that reaches the database through the proxy. */
async function openGateway(patience?: number): Promise<TestGateway> {
  const databaseUrl = new URL(office.databaseUrl);
  databaseUrl.port = String(proxy.port);
  statements = [];
  return startGateway({
    databaseUrl: databaseUrl.href,
    maintenance: false,
    databaseDeadlines: { ...generousDatabaseDeadlines, statementMs },
    onStatement: (sql) => statements.push(sql),
    ...(patience === undefined ? {} : { outage: patience }),
  });
}

/** Reads the ticket, the engineer and the decisions of each event from the database. */
const selection = `id cursor type occurredAt
  grant { id state ticket { key } engineer { email } decisions { outcome decidedBy { email } } }`;

function subscribe(
  { url }: TestGateway,
  token: string,
  transport: Transport,
  ticketId: string,
  after?: string,
) {
  const start = after === undefined ? '' : `, after: "${after}"`;
  const query = `subscription { grantEvents(filter: { ticketId: "${ticketId}" }${start}) { ${selection} } }`;
  return subscribeOver(transport, { url, token, query });
}

const typesOf = ({ received }: { received: readonly { type: string }[] }) => received.map(({ type }) => type);

/** Makes every read of a ticket fail until the returned function is called. */
async function lockTickets(): Promise<() => Promise<unknown>> {
  const locking = await office.sql.connect();
  onTestFinished(() => locking.release(true));
  await locking.query('BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE');
  return () => locking.query('ROLLBACK');
}

/** Writes events of the ticket's grant once more, without reading the ticket. */
async function writeAgain(grantId: string | null, ...types: string[]): Promise<void> {
  for (const type of types) {
    await office.sql.query(
      `INSERT INTO events (id, type, occurred_at, payload)
       SELECT gen_random_uuid(), type, now(), payload FROM events WHERE payload->>'grantId' = $1 AND type = $2 LIMIT 1`,
      [rawId(grantId ?? ''), type],
    );
  }
}

/** Resolves when the gateway has tried at least twice more to read tickets. */
async function untilTriedAgain(): Promise<void> {
  const tries = () => statements.filter((sql) => sql.includes('"tickets"')).length;
  const before = tries();
  await eventually(() => expect(tries()).toBeGreaterThan(before + 2));
}

test.each(transports)(
  'an event is delivered when it can be read again, before the next: %s',
  async (transport) => {
    await using gateway = await openGateway();
    const { ticketId, grantId } = await fileTicket(office, world);
    const { token } = await gateway.as(world.acme.emails.organizationAdmin);
    const subscriber = await subscribe(gateway, token, transport, ticketId);
    await subscriber.started;
    const unlock = await lockTickets();
    await writeAgain(grantId, 'REQUESTED', 'REASSIGNED');
    await untilTriedAgain();
    expect(typesOf(subscriber)).toEqual([]);
    await unlock();
    await subscriber.until(({ type }) => type === 'REASSIGNED');
    expect(typesOf(subscriber)).toEqual(['REQUESTED', 'REASSIGNED']);
  },
);

test.each(transports)(
  'after an outage that is too long, the subscription ends and resumes before the event: %s',
  async (transport) => {
    await using gateway = await openGateway(outage);
    const { ticketId, grantId } = await fileTicket(office, world);
    const { token } = await gateway.as(world.acme.emails.organizationAdmin);
    const subscriber = await subscribe(gateway, token, transport, ticketId);
    await subscriber.started;
    await writeAgain(grantId, 'REQUESTED');
    await subscriber.until(({ type }) => type === 'REQUESTED');
    const unlock = await lockTickets();
    await writeAgain(grantId, 'REASSIGNED', 'REQUESTED');
    expect(await subscriber.end).toMatchObject({ codes: ['FEED_UNAVAILABLE'], isCompleted: true });
    expect(typesOf(subscriber)).toEqual(['REQUESTED']);
    await unlock();

    const after = subscriber.received.at(-1)?.cursor;
    const resumed = await subscribe(gateway, token, transport, ticketId, after);
    await resumed.until(({ type }) => type === 'REQUESTED');
    expect(typesOf(resumed)).toEqual(['REASSIGNED', 'REQUESTED']);
  },
);

test.each(transports)('the current state follows when it can be read again: %s', async (transport) => {
  await using gateway = await openGateway();
  const { ticketId } = await fileTicket(office, world);
  const { token } = await gateway.as(world.acme.emails.organizationAdmin);
  const unlock = await lockTickets();
  const query = `subscription { grantEvents(filter: { ticketId: "${ticketId}" }, withCurrentState: true) { ${selection} } }`;
  const subscriber = await subscribeOver(transport, { url: gateway.url, token, query });
  await subscriber.started;
  await untilTriedAgain();
  await unlock();
  await subscriber.until(({ type }) => type === 'CURRENT');
});

test('while connections to the database drop again and again, every decision is delivered once, in order', async () => {
  await using gateway = await openGateway();
  const { ticketId } = await fileTicket(office, world);
  const { token } = await gateway.as(world.acme.emails.organizationAdmin);
  const admin = await office.as(world.acme.emails.organizationAdmin);
  const engineer = await office.as(world.engineer.email);
  const subscribers = await Promise.all(
    transports.map((transport) => subscribe(gateway, token, transport, ticketId)),
  );
  await Promise.all(subscribers.map(({ started }) => started));
  const rounds = 5;
  const expected: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    proxy.cut();
    const { id: grantId } = await done(admin, 'approveDataAccess', { ticketId });
    proxy.resume();
    await done(admin, 'revokeDataAccess', { grantId });
    proxy.cut();
    await done(engineer, 'requestDataAccess', { ticketId });
    proxy.resume();
    expected.push('ACTIVATED', 'REVOKED', 'REQUESTED');
  }
  for (const subscriber of subscribers) {
    await subscriber.until(() => subscriber.received.length >= expected.length);
    expect(typesOf(subscriber).toSorted()).toEqual(expected.toSorted());
    const ids = subscriber.received.map(({ grant }) => grant.id);
    for (const id of ids) {
      const ofGrant = subscriber.received.filter(({ grant }) => grant.id === id).map(({ type }) => type);
      expect(['ACTIVATED REVOKED', 'REQUESTED ACTIVATED REVOKED', 'REQUESTED']).toContain(ofGrant.join(' '));
    }
  }
});
