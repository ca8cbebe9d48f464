/** A viewer loses rights during a subscription: from then on, nothing is delivered that the rights had allowed. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { generousMs } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { measureLateness } from '../support/lateness.ts';
import { globalId, insertOpenRequests, rawId } from '../support/rows.ts';
import {
  assignRole,
  type Customer,
  done,
  fileTicket,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';
import { type Bystander, startBystander } from './bystander.ts';
import { type Received, type Subscriber, subscribeOver, type Transport, transports } from './transports.ts';

let stack: AsyncDisposableStack;
let gateway: TestGateway;
let world: World;
let bystander: Bystander;
/** Issues a token for this person that is valid for this many seconds. */
let tokenFor: (email: string, seconds?: number) => Promise<{ token: string; expiresAt: number }>;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const issuer = stack.use(await startIssuer());
  const sign = await issuer.addKey('ES256');
  tokenFor = async (email, seconds = 600) => {
    const exp = Math.ceil(Date.now() / 1_000) + seconds;
    return { token: await sign({ sub: email, email, email_verified: true, exp }), expiresAt: exp * 1_000 };
  };
  const identity = {
    kind: 'oidc',
    issuer: issuerName,
    audience: audienceName,
    jwksUrl: issuer.jwksUrl,
    emailVerified: 'REQUIRED',
  } as const;
  const options = { config: { identity }, limits: { slowConsumerMs: generousMs } };
  const signIn = async (started: TestGateway, email: string) => ({
    ...started.withToken((await tokenFor(email)).token),
    email,
  });
  ({ gateway, world } = stack.use(await startGatewayWithWorld({ ...options, signIn })));
  bystander = await startBystander(gateway, world);
});
afterAll(() => stack.disposeAsync());

const plain = 'id type occurredAt grant { id state }';
const queryFor = (start: string, selection = plain) =>
  `subscription { grantEvents${start} { ${selection} } }`;

/** Subscribes as this person, with a token that stays valid unless another one is given. */
async function subscribeAs(transport: Transport, email: string, query: string, token?: string) {
  return subscribeOver(transport, { url: gateway.url, token: token ?? (await tokenFor(email)).token, query });
}

/** Starts something with a token that expires soon afterwards; retries with a longer one if starting took too long. */
async function beginWithExpiringToken<Begun>(email: string, begin: (token: string) => Promise<Begun>) {
  for (let seconds = 2; ; seconds *= 2) {
    const { token, expiresAt } = await tokenFor(email, seconds);
    const begun = await begin(token).catch((error: unknown) => {
      if (Date.now() < expiresAt) throw error;
    });
    if (begun !== undefined && Date.now() < expiresAt) return { begun, expiresAt };
  }
}

let admins = 0;

/** A new admin of these sites of the customer, and their role on each. */
async function addAdmin({ organizationId, sites }: Customer, ...names: SiteName[]) {
  admins += 1;
  const email = `admin-${admins}@customer.example`;
  const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: email });
  const roleIds = new Map<SiteName, string>();
  for (const name of names) {
    const role = { userId, role: 'USER_ACCESS_ADMIN', organizationId, siteId: sites[name].id };
    roleIds.set(name, (await assignRole(world, role)).id);
  }
  return { userId, email, roleIds };
}

/** Files a ticket on the site and requests access; returns the grant's id. */
async function openRequest({ emails, sites }: Customer, site: SiteName): Promise<string> {
  const reporter = await gateway.as(emails.reporter);
  const ticket = { productId: sites[site].products.jira, summary: 'It is slow', grantDataAccess: false };
  const { id } = await done(reporter, 'createTicket', ticket);
  const { rows } = await gateway.sql.query('SELECT id FROM grants WHERE ticket_id = $1', [rawId(id)]);
  return globalId('Grant', rows[0]?.id);
}

/** The types of the events received of a grant, in order. */
const typesOf = (subscriber: Subscriber, grantId: string | null) =>
  subscriber.received.filter(({ grant }) => grant.id === grantId).map(({ type }) => type);

const isAbout = (grantId: string | null, type?: string) => (event: Received) =>
  event.grant.id === grantId && (type === undefined || event.type === type);

/** Expects that events were written on the site after this moment, and that the subscriber received none of them. */
async function expectNothingSince({ received }: Subscriber, moment: number, siteId: string): Promise<void> {
  const { rows } = await gateway.sql.query(
    `SELECT id FROM events WHERE occurred_at > $1 AND payload->'audience'->>'siteId' = $2`,
    [new Date(moment), rawId(siteId)],
  );
  expect(rows.length, 'what happened afterwards').toBeGreaterThan(0);
  const since = new Set(rows.map(({ id }) => id));
  const receivedSince = received.filter(({ id }) => since.has(id));
  expect(receivedSince, 'what was received of it').toEqual([]);
}

describe('the subscription ends', () => {
  test.each(transports)('with its token: %s', async (transport) => {
    const { sites, emails } = world.acme;
    using lateness = measureLateness();
    const { begun: subscriber, expiresAt } = await bystander.during(async () => {
      const beginning = await beginWithExpiringToken(emails.organizationAdmin, async (token) => {
        const begun = await subscribeAs(transport, emails.organizationAdmin, queryFor(''), token);
        await begun.until(() => true);
        return begun;
      });
      await beginning.begun.end;
      return beginning;
    });
    const end = await subscriber.end;
    expect({ ...end, isTold: end.messages.join().includes('expired') }).toMatchObject(
      transport === 'WebSocket'
        ? { codes: [], isCompleted: false, closeCode: 4403 }
        : { codes: ['UNAUTHENTICATED'], isTold: true, isCompleted: true },
    );
    expect(end.at - expiresAt, 'milliseconds after the expiry').toBeLessThan(1_000 + lateness.allowance());
    expect(end.at - expiresAt, 'milliseconds after the expiry').toBeGreaterThan(-100);
    await expectOver(subscriber, end.at, sites.main.id);
  });

  const reasons = [
    ['deactivated', 'ACCOUNT_DEACTIVATED', 'deactivateAccount', (userId: string) => ({ accountId: userId })],
    [
      'removed from the organization',
      'NO_LONGER_ALLOWED',
      'removeUser',
      (userId: string) => ({ userId, organizationId: world.acme.organizationId }),
    ],
  ] as const;
  describe.each(reasons)('with an account that is %s', (_how, reason, mutation, inputFor) => {
    test.each(transports)('%s', async (transport) => {
      const { userId, email } = await addAdmin(world.acme, 'main');
      const subscriber = await subscribeAs(transport, email, queryFor(''));
      const end = await bystander.during(async () => {
        await subscriber.until(() => true);
        await done(world.operator, mutation, inputFor(userId));
        return subscriber.end;
      });
      expect(end).toMatchObject({ codes: ['ACCESS_ENDED'], isCompleted: true });
      expect(end.messages).toEqual([expect.stringContaining(reason)]);
      await expectOver(subscriber, end.at, world.acme.sites.main.id);
    });
  });

  /** Events continue on the site; none of them is delivered, nor anything else. */
  async function expectOver(subscriber: Subscriber, endedAt: number, siteId: string): Promise<void> {
    await bystander.during(async () => undefined);
    await subscriber.drained();
    await expectNothingSince(subscriber, endedAt, siteId);
    expect(Math.max(...subscriber.received.map(({ at }) => at)), 'the last arrival').toBeLessThanOrEqual(
      endedAt,
    );
  }
});

describe('the subscription continues without events of', () => {
  describe.each(['another engineer', 'nobody'])('a ticket that %s has now', (to) => {
    test.each(transports)('%s', async (transport) => {
      const { engineer, otherEngineer, operator, acme } = world;
      const admin = await gateway.as(acme.emails.organizationAdmin);
      const lost = await fileTicket(gateway, world);
      const kept = await fileTicket(gateway, world);
      const ofOther = await fileTicket(gateway, world);
      const assign = (ticketId: string, engineerId: string | null) =>
        done(operator, 'assignTicket', { ticketId, engineerId });
      await assign(ofOther.ticketId, otherEngineer.id);
      const former = await subscribeAs(transport, engineer.email, queryFor('(withCurrentState: true)'));
      const other = await subscribeAs(transport, otherEngineer.email, queryFor('(withCurrentState: true)'));
      await former.until(isAbout(kept.grantId, 'CURRENT'));
      await other.until(isAbout(ofOther.grantId, 'CURRENT'));

      const approveAndRevoke = async () => {
        const { id: grantId } = await done(admin, 'approveDataAccess', { ticketId: lost.ticketId });
        await done(admin, 'revokeDataAccess', { grantId });
      };
      await bystander.during(async () => {
        await assign(lost.ticketId, to === 'nobody' ? null : otherEngineer.id);
        await former.until(isAbout(lost.grantId, 'REASSIGNED'));
        await approveAndRevoke();
        // There is no open request any more: this opens a new one and approves it at once.
        await approveAndRevoke();
        if (to === 'nobody') {
          await assign(lost.ticketId, otherEngineer.id);
          await approveAndRevoke();
        }
        // These overtake nothing: anything else would have been delivered before them.
        await done(admin, 'approveDataAccess', { ticketId: kept.ticketId });
        await former.until(isAbout(kept.grantId, 'ACTIVATED'));
        await done(admin, 'approveDataAccess', { ticketId: ofOther.ticketId });
        await other.until(isAbout(ofOther.grantId, 'ACTIVATED'));
      });

      const { rows } = await gateway.sql.query('SELECT id FROM grants WHERE ticket_id = $1 ORDER BY id', [
        rawId(lost.ticketId),
      ]);
      const typesForTicket = (subscriber: Subscriber) =>
        rows.flatMap(({ id }) => typesOf(subscriber, globalId('Grant', id)));
      expect(typesForTicket(former), 'what the former engineer received').toEqual(['CURRENT', 'REASSIGNED']);
      const newGrant = ['REQUESTED', 'ACTIVATED', 'REVOKED'];
      expect(typesForTicket(other), 'what the other engineer received').toEqual(
        to === 'nobody' ? newGrant : ['REASSIGNED', 'ACTIVATED', 'REVOKED', ...newGrant],
      );
    });
  });

  test.each(transports)('a site whose role was removed: %s', async (transport) => {
    const { acme } = world;
    const { email, roleIds } = await addAdmin(acme, 'main', 'original');
    const organizationAdmin = await gateway.as(acme.emails.organizationAdmin);
    const subscriber = await subscribeAs(transport, email, queryFor(''));
    const lostAt = await bystander.during(async () => {
      await subscriber.until(() => true);
      await done(organizationAdmin, 'removeRole', { roleAssignmentId: roleIds.get('main') });
      const answeredAt = Date.now();
      await openRequest(acme, 'main');
      return answeredAt;
    });
    await subscriber.until(isAbout(await openRequest(acme, 'original'), 'REQUESTED'));
    await expectNothingSince(subscriber, lostAt, acme.sites.main.id);
  });
});

test.each(transports)(
  'an event is not delivered if its viewer loses the role while its fields are being read: %s',
  async (transport) => {
    const { acme, operator } = world;
    const { email, roleIds } = await addAdmin(acme, 'main', 'original');
    const before = await openRequest(acme, 'main');
    const after = await openRequest(acme, 'original');
    const reading = await subscribeAs(
      transport,
      email,
      queryFor('', `${plain} ofGrant: grant { decisions { outcome } }`),
    );
    const noticing = await subscribeAs(transport, email, queryFor(''));
    await bystander.during(async () => {
      await Promise.all([reading, noticing].map((each) => each.until(() => true)));
    });

    /** Writes the request's event once more, and adds an admin only to make the gateway read events. */
    const writeAgain = async (grantId: string): Promise<string> => {
      const { rows } = await gateway.sql.query(
        `INSERT INTO events (id, type, occurred_at, payload)
         SELECT gen_random_uuid(), type, now(), payload FROM events
          WHERE payload->>'grantId' = $1 AND type = 'REQUESTED' LIMIT 1 RETURNING id`,
        [rawId(grantId)],
      );
      await addAdmin(acme, 'main');
      return rows[0]?.id;
    };
    const locking = await gateway.sql.connect();
    onTestFinished(() => locking.release(true));
    await locking.query('BEGIN; LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE');
    const inHand = await writeAgain(before);
    await noticing.until(({ id }) => id === inHand);
    await done(operator, 'removeRole', { roleAssignmentId: roleIds.get('main') });
    const next = await writeAgain(after);
    await noticing.until(({ id }) => id === next);
    await locking.query('ROLLBACK');
    await reading.until(({ id }) => id === next);
    expect(reading.received.map(({ id }) => id)).not.toContain(inHand);
  },
);

describe('a client that stops reading during the current state receives nothing more of it', () => {
  /** The number of grants: more than the buffers between gateway and client can hold. */
  const many = 600;
  const large = Array.from({ length: 8 }, (_, at) => `a${at}: grant { justification }`).join(' ');
  /** Bytes that the gateway may have processed for a subscription beyond the buffers of its connection. */
  const mostInHand = 64 * 1024;
  let engineer: { id: string; email: string };
  /** Grants on the main site, and on the restricted one; the latter are delivered last. */
  let lost: string[];
  let kept: string[];

  beforeAll(async () => {
    const { operator, globex } = world;
    const email = 'busy@vendor.example';
    engineer = { email, ...(await done(operator, 'addSupportEngineer', { email, name: 'Busy' })) };
    const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [
      globex.emails.reporter,
    ]);
    const open = async (project: string, site: SiteName, count: number) => {
      const { id: siteId, products } = globex.sites[site];
      const place = { project, siteId: rawId(siteId), productId: rawId(products.jira) };
      const people = { reporterId: rows[0]?.id, engineerId: rawId(engineer.id) };
      const ids = await insertOpenRequests(gateway, { ...place, ...people }, count, 'x'.repeat(4 * 1024));
      return ids.map((id) => globalId('Grant', id));
    };
    lost = await open('LOST', 'main', many);
    kept = await open('KEPT', 'restricted', 3);
  });

  /**
   * Opens a subscription whose client stops reading at the first event of the current state, and another one with the
   * same token that keeps reading: what it receives shows when the gateway has noticed the loss.
   */
  async function holdUp(transport: Transport, email: string, filter: string, token?: string) {
    const some = queryFor(`(withCurrentState: true, filter: ${filter})`);
    const reader = await subscribeAs(transport, email, some, token);
    await reader.until(() => true);
    const everything = queryFor('(withCurrentState: true)', `${plain} ${large}`);
    const heldUp = await subscribeAs(transport, email, everything, token);
    await heldUp.until(() => true);
    heldUp.pause();
    return { reader, heldUp };
  }

  /** Lets the client continue to read, and expects only those of the lost grants that had been sent already. */
  async function expectNoMoreOfLost(heldUp: Subscriber, readOn: () => Promise<unknown>): Promise<void> {
    const onItsWay = heldUp.bytesSent();
    heldUp.resume();
    await readOn();
    const ids = new Set(lost);
    const delivered = heldUp.received.filter(({ grant }) => ids.has(grant.id));
    const bytes = delivered.reduce((sum, event) => sum + event.bytes, 0);
    expect(bytes - onItsWay, 'bytes sent that the rights no longer allowed').toBeLessThan(mostInHand);
    expect(delivered.length, 'grants delivered').toBeLessThan(many);
  }

  const onKeptSite = () => `{ siteId: "${world.globex.sites.restricted.id}" }`;

  test.each(transports)('after a role was removed, except what other roles allow: %s', async (transport) => {
    const { operator, globex } = world;
    const { email, roleIds } = await addAdmin(globex, 'main', 'restricted');
    await bystander.during(async () => {
      const { reader, heldUp } = await holdUp(transport, email, onKeptSite());
      await done(operator, 'removeRole', { roleAssignmentId: roleIds.get('main') });
      const next = await openRequest(globex, 'restricted');
      await reader.until(isAbout(next));
      await expectNoMoreOfLost(heldUp, () => heldUp.until(isAbout(next)));
      expect(kept.map((id) => typesOf(heldUp, id))).toEqual(kept.map(() => ['CURRENT']));
    });
  });

  test.each(transports)('after its account was deactivated: %s', async (transport) => {
    const { userId, email } = await addAdmin(world.globex, 'main', 'restricted');
    await bystander.during(async () => {
      const { reader, heldUp } = await holdUp(transport, email, onKeptSite());
      await done(world.operator, 'deactivateAccount', { accountId: userId });
      await reader.end;
      await expectNoMoreOfLost(heldUp, () => heldUp.end);
      await expectEnd(heldUp, { codes: ['ACCESS_ENDED'], isCompleted: true });
    });
  });

  test.each(transports)('after its token expired: %s', async (transport) => {
    const { email } = await addAdmin(world.globex, 'main', 'restricted');
    await bystander.during(async () => {
      using lateness = measureLateness();
      const { begun, expiresAt } = await beginWithExpiringToken(email, (token) =>
        holdUp(transport, email, onKeptSite(), token),
      );
      const { reader, heldUp } = begun;
      await reader.end;
      await expectNoMoreOfLost(heldUp, () => heldUp.end);
      const { at } = await expectEnd(
        heldUp,
        transport === 'WebSocket' ? { closeCode: 4403 } : { codes: ['UNAUTHENTICATED'], isCompleted: true },
      );
      expect(at - expiresAt, 'milliseconds after the expiry').toBeLessThan(1_000 + lateness.allowance());
    });
  });

  /** Expects this end, nothing after it, and none of the grants that would have been delivered last. */
  async function expectEnd(heldUp: Subscriber, how: object) {
    const end = await heldUp.end;
    await heldUp.drained();
    expect(end).toMatchObject(how);
    expect(Math.max(...heldUp.received.map(({ at }) => at)), 'the last arrival').toBeLessThanOrEqual(end.at);
    expect(kept.flatMap((id) => typesOf(heldUp, id))).toEqual([]);
    return end;
  }

  test.each(transports)('of a ticket that was reassigned to another engineer: %s', async (transport) => {
    const { rows } = await gateway.sql.query(
      'SELECT id, ticket_id FROM grants WHERE engineer_id = $1 ORDER BY id',
      [rawId(engineer.id)],
    );
    // On one of the last pages, which are read after the loss; the current page was read before it.
    const { id, ticket_id } = rows[many - 10];
    const grantId = globalId('Grant', id);
    const ticketId = globalId('Ticket', ticket_id);
    await bystander.during(async () => {
      const { reader, heldUp } = await holdUp(transport, engineer.email, `{ ticketId: "${ticketId}" }`);
      await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
      await reader.until(isAbout(grantId, 'REASSIGNED'));
      heldUp.resume();
      await heldUp.until(isAbout(grantId, 'REASSIGNED'));
      expect(typesOf(heldUp, grantId)).toEqual(['REASSIGNED']);
      const others = rows.map((row) => globalId('Grant', row.id)).filter((other) => other !== grantId);
      expect(others.filter((other) => typesOf(heldUp, other).join() !== 'CURRENT')).toEqual([]);
    });
  });
});
