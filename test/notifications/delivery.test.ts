import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { deliverMails } from '../../src/notifications/delivery.ts';
import { writeDigest } from '../../src/notifications/digest.ts';
import type { MailKind } from '../../src/notifications/mail-kind.ts';
import { mailKinds } from '../../src/notifications/mail-kinds.ts';
import { createSmtpMailer, type Mail, type Mailer } from '../../src/notifications/mailer.ts';
import {
  deleteMailCounts,
  deleteMailsBefore,
  maxAttempts,
  queueMails,
} from '../../src/notifications/queue.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { defaultQuotas, type Quotas } from '../../src/platform/quotas.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Person, TestGateway } from '../support/gateway.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import {
  assignRole,
  attempt,
  done,
  doneByTwo,
  fileTicket,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

const from = { name: 'Latchkey', address: 'support-access@vendor.example' };
const never = new AbortController().signal;

let gateway: TestGateway;
let world: World;
let database: Database;
let admin: Person;
let guard: Person;
/** Everybody who should get mail about a request on the restricted site. */
let guardAdmins: string[];
const statements: string[] = [];

/** This gateway sends no mail by itself: each test runs the delivery when it needs to. */
beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    onStatement: (sql) => void statements.push(sql),
  }));
  database = openDatabase({
    url: gateway.databaseUrl,
    logger: createLogger('silent'),
    poolSize: 8,
    deadlines: generousDatabaseDeadlines,
  });
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  guard = await gateway.as(world.acme.emails.guardAdmin);
  guardAdmins = [guard.email, await addGuardAdmin('of-site', { site: 'restricted' })].sort();
  await addGuardAdmin('of-another-site', { site: 'main' });
  await addGuardAdmin('not-synced', { origin: 'SCIM' });
  const gone = await addGuardAdmin('gone', {});
  await done(world.operator, 'deactivateAccount', { accountId: await accountId(gone) });
  const removed = await addGuardAdmin('removed', {});
  await doneByTwo(guard, world.operator, 'removeUser', {
    organizationId: world.acme.organizationId,
    userId: await accountId(removed),
  });
  await gateway.sql.query('DELETE FROM mails');
});

afterAll(async () => {
  await database?.dispose();
  await gateway?.dispose();
});

let mailServer: MailServer;
/** How far the clock of the deliveries is ahead, in milliseconds. */
let ahead: number;
const clock = () => new Date(Date.now() + ahead);

beforeEach(async () => {
  mailServer = await startMailServer();
  ahead = 0;
  statements.length = 0;
});

afterEach(async () => {
  await mailServer.stop();
  await gateway.sql.query('DELETE FROM mails');
  await gateway.sql.query('DELETE FROM mail_counts');
});

/** Adds a Guard admin of Acme, or of one of its sites. */
async function addGuardAdmin(
  name: string,
  { site, ...over }: { site?: SiteName; origin?: 'SCIM' },
): Promise<string> {
  const { organizationId, sites } = world.acme;
  const email = `${name}@acme.example`;
  const user = await done(world.operator, 'addUser', { organizationId, email, name });
  const place = site === undefined ? {} : { siteId: sites[site].id };
  await assignRole(world, {
    ...{ userId: user.id, role: 'GUARD_ADMIN', organizationId },
    ...place,
    ...over,
  });
  // The other Guard admins get mail about it, which these tests are not about.
  await gateway.sql.query(`DELETE FROM mails WHERE kind = 'change-proposed'`);
  return email;
}

async function accountId(email: string): Promise<string> {
  const { rows } = await gateway.sql.query(
    `SELECT translate(encode(convert_to('User:' || id, 'utf8'), 'base64'), E'\\n', '') AS id FROM accounts WHERE email = $1`,
    [email],
  );
  return rows[0].id;
}

/** Creates a request on the restricted site that awaits the Guard. */
async function awaitGuard(by: Person = admin): Promise<{ grantId: string; key: string; ticketId: string }> {
  const { ticketId, key } = await fileTicket(gateway, world, { site: 'restricted' });
  const grant = await done(by, 'approveDataAccess', { ticketId, path: 'SUPPORT_PORTAL' });
  expect(grant.state).toBe('PENDING_GUARD_APPROVAL');
  return { grantId: grant.id, key, ticketId };
}

/** Sends every mail that is due now. */
async function deliver({
  mailer = createSmtpMailer({ url: mailServer.url, from }),
  logger = createLogger('silent'),
  signal = never,
  kinds = mailKinds,
  quotas,
}: {
  mailer?: Mailer;
  logger?: ReturnType<typeof createLogger>;
  signal?: AbortSignal;
  kinds?: readonly MailKind[];
  quotas?: Quotas;
} = {}): Promise<void> {
  while (await deliverMails({ database, clock, logger, mailer, kinds, quotas }, signal));
}

async function mailsInDatabase(): Promise<{ email: string; state: string; attempts: number }[]> {
  const { rows } = await gateway.sql.query(
    `SELECT a.email, m.state::text, m.attempts FROM mails m JOIN accounts a ON a.id = m.recipient_id
      ORDER BY a.email, m.about_id`,
  );
  return rows;
}

const recipients = () => mailServer.received.flatMap(({ to }) => to).sort();
const later = (seconds: number) => {
  ahead += seconds * 1_000;
};

describe('an approval on a restricted site', () => {
  const paths: Record<string, () => Promise<{ key: string }>> = {
    'at ticket creation': async () => {
      const productId = world.acme.sites.restricted.products.jira;
      return await done(admin, 'createTicket', { productId, summary: 'It is slow', grantDataAccess: true });
    },
    'in the sidebar': () => awaitGuard(),
    'in the admin console': async () => {
      const { grantId, key } = await fileTicket(gateway, world, { site: 'restricted' });
      await done(admin, 'approveDataAccess', { grantId, path: 'ADMIN_CONSOLE' });
      return { key };
    },
    'of many at once': async () => {
      const { grantId, key } = await fileTicket(gateway, world, { site: 'restricted' });
      const { results } = await done(admin, 'approveDataAccessInBulk', { grantIds: [grantId] });
      expect(results[0].result.state).toBe('PENDING_GUARD_APPROVAL');
      return { key };
    },
  };

  test.each(Object.keys(paths))(
    '%s sends one mail to each Guard admin who may decide on it',
    async (path) => {
      const { key } = (await paths[path]?.()) ?? { key: '' };
      await deliver();
      later(3 * 86_400);
      await deliver();
      expect(recipients()).toEqual(guardAdmins);
      for (const { email } of mailServer.received) {
        expect(email.subject).toBe(`${key}: support access to restricted awaits your approval`);
        expect(email.from).toEqual(from);
        expect(email.text).toContain(`Ticket:       ${key}: It is slow\n`);
        expect(email.text).toContain('Site:         restricted, https://acme-restricted.example\n');
        expect(email.text).toContain('Product:      jira\n');
        expect(email.text).toMatch(
          /Approved by: {2}organizationAdmin, organizationadmin@acme\.example, 2\d{3}-/,
        );
      }
      expect(await mailsInDatabase()).toEqual(
        guardAdmins.map((email) => ({ email, state: 'SENT', attempts: 1 })),
      );
    },
  );

  test('needs one more statement; on an unrestricted site it needs none and sends no mail', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    statements.length = 0;
    expect((await done(admin, 'approveDataAccess', { ticketId, path: 'SUPPORT_PORTAL' })).state).toBe(
      'ACTIVE',
    );
    expect(await mailsInDatabase()).toEqual([]);
    const elsewhere = writesOf(statements);
    const restricted = await fileTicket(gateway, world, { site: 'restricted' });
    statements.length = 0;
    await done(admin, 'approveDataAccess', { ticketId: restricted.ticketId, path: 'SUPPORT_PORTAL' });
    expect(writesOf(statements)).toEqual([...elsewhere, 'mails']);
  });

  test('sends no mail if it is not committed, and one if it is repeated', async () => {
    const { ticketId } = await fileTicket(gateway, world, { site: 'restricted' });
    const input = { ticketId, path: 'SUPPORT_PORTAL', idempotencyKey: 'once' };
    await gateway.sql.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
       CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON mails DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    await expect(attempt(admin, 'approveDataAccess', input)).rejects.toThrow();
    await gateway.sql.query('DROP FUNCTION refuse CASCADE');
    expect(await mailsInDatabase()).toEqual([]);
    await done(admin, 'approveDataAccess', input);
    await done(admin, 'approveDataAccess', input);
    expect(await mailsInDatabase()).toHaveLength(guardAdmins.length);
  });

  test('by a Guard admin sends mail to the others, and to all if the policy lets one person approve twice', async () => {
    const { organizationId, sites } = world.acme;
    await assignRole(world, {
      ...{ userId: await accountId(guard.email), role: 'ORGANIZATION_ADMIN', organizationId },
    });
    const policy = { siteId: sites.restricted.id, requestWaitSeconds: 1_209_600, maxGrantSeconds: null };
    await awaitGuard(guard);
    await deliver();
    expect(recipients()).toEqual(guardAdmins.filter((email) => email !== guard.email));

    await doneByTwo(guard, admin, 'setSupportAccessPolicy', { ...policy, samePersonMayApproveTwice: true });
    onTestFinished(async () => {
      await done(admin, 'setSupportAccessPolicy', { ...policy, samePersonMayApproveTwice: false });
    });
    await gateway.sql.query('DELETE FROM mails');
    await awaitGuard(guard);
    expect((await mailsInDatabase()).map(({ email }) => email)).toEqual(guardAdmins);
  });

  test('sends mail to all of them, more than fifty as well', async () => {
    await gateway.sql.query(
      `WITH people AS (
         INSERT INTO accounts (id, kind, email, name, created_at)
         SELECT gen_random_uuid(), 'USER', 'many-' || n || '@globex.example', 'Many', now() FROM generate_series(1, 60) n
         RETURNING id
       ), members AS (
         INSERT INTO memberships SELECT o.id, people.id, now() FROM people, organizations o WHERE o.name = 'globex'
         RETURNING account_id, organization_id
       )
       INSERT INTO role_assignments (id, account_id, role, organization_id, created_at)
       SELECT gen_random_uuid(), account_id, 'GUARD_ADMIN', organization_id, now() FROM members`,
    );
    const { ticketId } = await fileTicket(gateway, world, { site: 'restricted', customer: 'globex' });
    const globexAdmin = await gateway.as(world.globex.emails.organizationAdmin);
    await done(globexAdmin, 'approveDataAccess', { ticketId, path: 'SUPPORT_PORTAL' });
    // The new ones, and the one that there was.
    expect(await mailsInDatabase()).toHaveLength(61);
  });
});

test('a request that awaits the Guard again, after an approval has lapsed, gets every Guard admin another mail', async () => {
  const { organizationId } = world.acme;
  const email = 'giver@acme.example';
  const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Giver' });
  const held = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
  const { id: roleAssignmentId } = await assignRole(world, held);
  const { grantId, ticketId } = await awaitGuard(await gateway.as(email));
  await deliver();
  await done(world.operator, 'removeRole', { roleAssignmentId });
  expect(await attempt(guard, 'approveGuardRequest', { grantId })).toMatchObject({ code: 'APPROVAL_LAPSED' });
  await done(admin, 'approveDataAccess', { ticketId });
  await deliver();
  expect(recipients()).toEqual([...guardAdmins, ...guardAdmins].sort());
  expect(new Set(mailServer.received.map((mail) => mail.email.messageId)).size).toBe(2 * guardAdmins.length);
  expect(await mailsInDatabase()).toEqual(
    guardAdmins.map((recipient) => ({ email: recipient, state: 'SENT', attempts: 1 })),
  );
});

test('the mutation in the mail approves the request when its recipient runs it', async () => {
  const { grantId } = await awaitGuard();
  await deliver();
  const text = mailServer.received.find(({ to }) => to[0] === guard.email)?.email.text ?? '';
  const approve = /^mutation \{.*?^\}/ms.exec(text)?.[0] ?? '';
  expect(approve).toContain(grantId);
  expect(await guard.ask(approve)).toEqual({ approveGuardRequest: { __typename: 'Grant' } });
  expect(await guard.ask(approve.replace('approve', 'deny'))).toMatchObject({
    denyGuardRequest: { __typename: 'InvalidStateError' },
  });
});

describe('a consent that the ticketing system relays', () => {
  const answer = `__typename ... on Ticket { id relayedConsent { outcome message relayedBy { email } }
    grants(first: 1) { edges { node { id state decisions { decidedBy { email } relayedBy { email capabilities } } } } } }`;

  /** Files a ticket for an admin of the product, with the box ticked, and returns the answer. */
  async function relay(site: SiteName, reporter: string) {
    const ticketing = await gateway.as(world.services.ticketing);
    const { createTicket } = await ticketing.ask(
      `mutation ($input: CreateTicketInput!) { createTicket(input: $input) { ${answer} } }`,
      {
        input: {
          ...{ productId: world.acme.sites[site].products.jira, summary: 'It is slow' },
          ...{ grantDataAccess: true, reporterId: await accountId(reporter) },
        },
      },
    );
    return { ...createTicket, grant: createTicket.grants.edges[0].node };
  }

  async function setPolicy(relayedConsentCounts: boolean): Promise<void> {
    const { id: siteId } = world.acme.sites.main;
    const policy = { siteId, requestWaitSeconds: 1_209_600, samePersonMayApproveTwice: false };
    await done(admin, 'setSupportAccessPolicy', { ...policy, relayedConsentCounts });
    // Who does not name the setting does not change it.
    await done(admin, 'setSupportAccessPolicy', policy);
  }

  const relayedBy = { email: 'ticketing@vendor.example', capabilities: ['TICKETING'] };

  test('counts by default, and the customer reads by whom it was relayed', async () => {
    const { id, grant, relayedConsent } = await relay('main', world.acme.emails.jiraAdmin);
    expect(relayedConsent).toMatchObject({ outcome: 'COUNTED', relayedBy: { email: relayedBy.email } });
    expect(grant).toMatchObject({
      state: 'ACTIVE',
      decisions: [{ decidedBy: { email: world.acme.emails.jiraAdmin }, relayedBy }],
    });
    const read = await (await gateway.as(world.acme.emails.jiraAdmin)).ask(
      `query ($id: ID!) { node(id: $id) { ${answer} } }`,
      { id },
    );
    expect(read.node.grants.edges[0].node).toEqual(grant);
    expect(await mailsInDatabase()).toEqual([]);
  });

  test('is said to be relayed in the mail to Guard admins', async () => {
    const { relayedConsent, grant } = await relay('restricted', world.acme.emails.jiraAdminElsewhere);
    expect([relayedConsent.outcome, grant.state]).toEqual(['COUNTED', 'PENDING_GUARD_APPROVAL']);
    await deliver();
    expect(recipients()).toEqual(guardAdmins);
    for (const { email } of mailServer.received)
      expect(email.text).toMatch(/^Relayed by: {3}ticketing\[@\]vendor\[\.\]example, which says/m);
  });

  test('waits where the policy says so: the answer says who must approve, and the mail how', async () => {
    await setPolicy(false);
    onTestFinished(() => setPolicy(true));
    const reporter = world.acme.emails.jiraAdmin;
    const { relayedConsent, grant } = await relay('main', reporter);
    expect(relayedConsent).toEqual({
      outcome: 'AWAITS_CONFIRMATION',
      message: expect.stringMatching(/the reporter, or somebody else who may grant, must approve/),
      relayedBy: { email: relayedBy.email },
    });
    expect(grant).toMatchObject({ state: 'PENDING_APPROVAL', decisions: [] });
    await deliver();
    expect(recipients()).toEqual([reporter]);
    const approve = /^mutation \{.*?^\}/ms.exec(mailServer.received[0]?.email.text ?? '')?.[0] ?? '';
    const confirming = await gateway.as(reporter);
    expect(await confirming.ask(approve)).toEqual({ approveDataAccess: { __typename: 'Grant' } });
    const { node } = await confirming.ask(
      'query ($id: ID!) { node(id: $id) { ... on Grant { state decisions { relayedBy { id } } } } }',
      { id: grant.id },
    );
    expect(node).toEqual({ state: 'ACTIVE', decisions: [{ relayedBy: null }] });
  });

  test('sends no mail once somebody has decided', async () => {
    await setPolicy(false);
    onTestFinished(() => setPolicy(true));
    const { grant } = await relay('main', world.acme.emails.jiraAdmin);
    await done(admin, 'denyDataAccess', { grantId: grant.id });
    await deliver();
    expect(mailServer.received).toEqual([]);
    expect(await mailsInDatabase()).toMatchObject([{ state: 'DROPPED' }]);
  });
});

describe('a mail is dropped before it is sent', () => {
  test.each<[string, (of: { grantId: string; ticketId: string }) => Promise<unknown>]>([
    [
      'if the request was withdrawn',
      async ({ grantId }) =>
        done(await gateway.as(world.engineer.email), 'withdrawDataAccessRequest', { grantId }),
    ],
    ['when another Guard admin has decided', ({ grantId }) => done(guard, 'denyGuardRequest', { grantId })],
    ['when the request has expired', async () => later(15 * 86_400)],
  ])('%s', async (_when, meanwhile) => {
    await meanwhile(await awaitGuard());
    await deliver();
    expect(mailServer.received).toEqual([]);
    expect(await mailsInDatabase()).toEqual(
      guardAdmins.map((email) => ({ email, state: 'DROPPED', attempts: 1 })),
    );
  });

  test('if its recipient is no longer a Guard admin; the other recipients get theirs', async () => {
    const email = await addGuardAdmin('briefly', {});
    await awaitGuard();
    await done(world.operator, 'deactivateAccount', { accountId: await accountId(email) });
    await deliver();
    expect(recipients()).toEqual(guardAdmins);
    expect(await mailsInDatabase()).toContainEqual({ email, state: 'DROPPED', attempts: 1 });
  });
});

describe('a mail server that is unavailable', () => {
  test('gets every mail once when it is back, under one Message-ID, and not before the retry delay is over', async () => {
    await awaitGuard();
    await mailServer.stop();
    await deliver();
    later(59);
    await deliver();
    expect(await mailsInDatabase()).toEqual(
      guardAdmins.map((email) => ({ email, state: 'WAITING', attempts: 1 })),
    );
    mailServer = await startMailServer({ port: mailServer.port });
    await deliver();
    expect(mailServer.received).toEqual([]);
    later(2);
    await deliver();
    expect(recipients()).toEqual(guardAdmins);
    expect(await mailsInDatabase()).toEqual(
      guardAdmins.map((email) => ({ email, state: 'SENT', attempts: 2 })),
    );
  });

  test('for a day gets no more attempts: that is logged, and an audit entry is written', async () => {
    const { ticketId } = await awaitGuard();
    await mailServer.stop();
    const lines: string[] = [];
    const logger = createLogger('warn', { write: (line) => void lines.push(line) });
    const began = clock();
    for (let round = 0; round < maxAttempts; round += 1) {
      await deliver({ logger });
      const { rows } = await gateway.sql.query<{ due: Date }>('SELECT max(due_at) AS due FROM mails');
      if (round < maxAttempts - 1) ahead = (rows[0]?.due.getTime() ?? 0) - Date.now();
    }
    const hours = (clock().getTime() - began.getTime()) / 3_600_000;
    expect(hours).toBeGreaterThan(20);
    expect(hours).toBeLessThan(26);
    expect(await mailsInDatabase()).toEqual(
      guardAdmins.map((email) => ({ email, state: 'GIVEN_UP', attempts: maxAttempts })),
    );
    const { rows } = await gateway.sql.query('SELECT DISTINCT last_error FROM mails');
    expect(rows).toEqual([{ last_error: expect.stringMatching(/ECONNREFUSED/) }]);
    const levels = lines.map((line) => JSON.parse(line).level);
    expect(levels.filter((level) => level === 'error')).toHaveLength(guardAdmins.length);
    expect(levels.filter((level) => level === 'warn')).toHaveLength(guardAdmins.length * (maxAttempts - 1));

    const { auditLog } = await admin.ask(
      `query Log($filter: AuditLogFilter!) { auditLog(first: 10, filter: $filter) { edges { node {
         actor { kind name } resource { type } outcome ticketId details } } } }`,
      { filter: { action: 'MAIL_GIVE_UP' } },
    );
    expect(auditLog.edges).toHaveLength(guardAdmins.length);
    expect(auditLog.edges[0].node).toEqual({
      actor: { kind: 'SYSTEM', name: 'Latchkey' },
      resource: { type: 'Grant' },
      outcome: 'SUCCEEDED',
      ticketId,
      details: { kind: 'guard-request', recipientId: expect.any(String), attempts: maxAttempts },
    });
    // No further attempt is made.
    later(30 * 86_400);
    await deliver();
    expect((await mailsInDatabase())[0]).toMatchObject({ state: 'GIVEN_UP', attempts: maxAttempts });
  });
});

test('a mail server that drops the line when it has a mail gets that mail three times at most, under one Message-ID', async () => {
  await awaitGuard();
  await mailServer.stop();
  const taken: string[] = [];
  const dropping = createServer((socket) => {
    let isInData = false;
    let message = '';
    socket.on('error', () => undefined).write('220 mail.example\r\n');
    createInterface({ input: socket }).on('line', (line) => {
      message += `${line}\n`;
      if (line === '.') {
        taken.push(/^message-id:\s+(<.+>)$/im.exec(message)?.[1] ?? message);
        socket.destroy();
        return;
      }
      if (!isInData) socket.write(line === 'DATA' ? '354 Go on\r\n' : '250 OK\r\n');
      isInData ||= line === 'DATA';
    });
  }).listen(mailServer.port, '127.0.0.1');
  onTestFinished(() => void dropping.close());
  await once(dropping, 'listening');
  for (let round = 0; round < maxAttempts; round += 1) {
    await deliver();
    later(86_400);
  }
  expect(Object.values(Object.groupBy(taken, (id) => id)).map((sent) => sent?.length)).toEqual(
    guardAdmins.map(() => 3),
  );
  expect(await mailsInDatabase()).toEqual(
    guardAdmins.map((email) => ({ email, state: 'GIVEN_UP', attempts: maxAttempts })),
  );
});

describe('two gateways', () => {
  test('that deliver at the same time send each mail once', async () => {
    for (let ticket = 0; ticket < 8; ticket += 1) await awaitGuard();
    const other = openDatabase({
      url: gateway.databaseUrl,
      logger: createLogger('silent'),
      poolSize: 8,
      deadlines: generousDatabaseDeadlines,
    });
    onTestFinished(() => other.dispose());
    const mailer = createSmtpMailer({ url: mailServer.url, from });
    const logger = createLogger('silent');
    const run = async (own: Database) => {
      while (await deliverMails({ database: own, clock, logger, mailer, kinds: mailKinds }, never));
    };
    await Promise.all([run(database), run(other), run(database), run(other)]);
    expect(mailServer.received).toHaveLength(8 * guardAdmins.length);
    const ids = mailServer.received.map(({ email }) => email.messageId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set((await mailsInDatabase()).map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(
      new Set(['SENT 1']),
    );
  });

  test('of which one stops after the mail server accepted a mail: the other sends it again under the same Message-ID', async () => {
    await awaitGuard();
    const real = createSmtpMailer({ url: mailServer.url, from });
    const end = new AbortController();
    const endsAfterwards: Mailer = {
      send: async (mail, signal) => {
        await real.send(mail, signal);
        end.abort();
        throw new Error('the gateway ended here');
      },
    };
    await deliver({ mailer: endsAfterwards, signal: end.signal });
    await deliver();
    const before = mailServer.received.length;
    expect(before).toBeGreaterThan(0);
    later(61);
    await deliver();
    await deliver();
    const ids = mailServer.received.map(({ email }) => email.messageId);
    expect(ids.length).toBeGreaterThan(guardAdmins.length);
    expect(new Set(ids).size).toBe(guardAdmins.length);
  });
});

describe('a kind of mail', () => {
  /** To everybody who holds a role in an organization, for as long as the organization has its name. */
  const newsMail: MailKind<{ organizationName: string; news: string }> = {
    name: 'news',
    about: 'JOIN organizations o ON o.id = m.about_id',
    recipient: 'a.id IN (SELECT r.account_id FROM role_assignments r WHERE r.organization_id = o.id)',
    joins: '',
    wanted: "o.name <> 'Renamed' AND clock.now >= m.created_at",
    concerns: { resourceType: 'Organization', resourceId: 'o.id', organizationId: 'o.id' },
    facts: `o.name AS "organizationName", m.details ->> 'news' AS news`,
    write: ({ organizationName, news, recipientName }) => ({
      subject: `News for ${organizationName}`,
      text: `Hello ${recipientName},\n\n${news}\n`,
    }),
    line: ({ news }) => news,
  };
  const kinds = [...mailKinds, newsMail];
  let aboutId: string;

  beforeAll(async () => {
    const { rows } = await gateway.sql.query(`SELECT id FROM organizations WHERE name = 'globex'`);
    aboutId = rows[0].id;
  });

  async function queueNews(news: string): Promise<void> {
    await database.transaction((tx) =>
      queueMails(tx, [{ kind: newsMail, aboutId, details: { news } }], clock()),
    );
  }

  test('is a value: its recipients get its text once, beside the mail of other kinds', async () => {
    await awaitGuard();
    await queueNews('This is replaced.');
    await queueNews('All is well.');
    await deliver({ kinds });
    const news = mailServer.received.filter(({ email }) => email.subject === 'News for globex');
    const holders = Object.entries(world.globex.emails).filter(([name]) => name !== 'reporter');
    expect(news.flatMap(({ to }) => to)).toEqual(expect.arrayContaining(holders.map(([, email]) => email)));
    expect(news.flatMap(({ to }) => to)).not.toContain(world.globex.emails.reporter);
    expect(news[0]?.email.text).toMatch(/^Hello \w+,\n\nAll is well\.\n/);
    expect(mailServer.received).toHaveLength(news.length + guardAdmins.length);
    const ids = mailServer.received.map(({ email }) => email.messageId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('that this gateway does not know waits for one that does', async () => {
    await queueNews('Of a later version.');
    await deliver();
    expect(new Set((await mailsInDatabase()).map(({ state }) => state))).toEqual(new Set(['WAITING']));
    await deliver({ kinds });
    expect(new Set((await mailsInDatabase()).map(({ state }) => state))).toEqual(new Set(['SENT']));
  });

  test('that cannot be read keeps no other kind from being sent', async () => {
    const broken: MailKind = {
      ...newsMail,
      facts: 'o.no_such_column',
      write: () => ({ subject: '', text: '' }),
    };
    await queueNews('Unreadable.');
    await awaitGuard();
    const mailer = createSmtpMailer({ url: mailServer.url, from });
    const logger = createLogger('silent');
    const run = () => deliverMails({ database, clock, logger, mailer, kinds: [...mailKinds, broken] }, never);
    // Each run claims five mails, and fails if one of them is unreadable.
    for (let round = 0; round < 20; round += 1) await run().catch(() => undefined);
    expect(recipients()).toEqual(guardAdmins);
  });

  test('is dropped when it is no longer wanted, and when what it is about is gone', async () => {
    await queueNews('Too late.');
    await gateway.sql.query(`UPDATE organizations SET name = 'Renamed' WHERE id = $1`, [aboutId]);
    onTestFinished(async () => {
      await gateway.sql.query(`UPDATE organizations SET name = 'globex' WHERE id = $1`, [aboutId]);
    });
    await gateway.sql.query(
      `UPDATE mails SET about_id = gen_random_uuid() WHERE recipient_id = (SELECT min(recipient_id::text)::uuid FROM mails)`,
    );
    await deliver({ kinds });
    expect(mailServer.received).toEqual([]);
    expect(new Set((await mailsInDatabase()).map(({ state }) => state))).toEqual(new Set(['DROPPED']));
  });
});

/** To a Guard admin, about anything. */
const askMail: MailKind<{ what: string }> = {
  name: 'ask',
  about: "JOIN organizations o ON o.name = 'acme'",
  recipient: `a.email = 'guardadmin@acme.example'`,
  joins: '',
  wanted: `m.details ->> 'over' IS NULL`,
  concerns: { resourceType: 'Organization', resourceId: 'o.id', organizationId: 'o.id' },
  facts: `m.details ->> 'what' AS what`,
  write: ({ what }) => ({ subject: what, text: what }),
  line: ({ what }) => what,
  decideBy: `(m.details ->> 'decideBy')::timestamptz`,
};
const plainMail: MailKind<{ what: string }> = {
  ...{ name: 'plain', about: askMail.about, recipient: askMail.recipient, joins: '', wanted: 'true' },
  ...{ concerns: askMail.concerns, facts: askMail.facts, write: askMail.write.bind(askMail) },
  line: ({ what }) => what,
};
const kinds = [...mailKinds, askMail, plainMail];
const hours = (count: number) => new Date(clock().getTime() + count * 3_600_000).toISOString();

async function queue(kind: MailKind, ...whats: string[]): Promise<void> {
  const requests = whats.map((what) => ({
    ...{ kind, aboutId: randomUUID() },
    details: { what, decideBy: hours(what === 'soon' ? 1 : 100) },
  }));
  await database.transaction((tx) => queueMails(tx, requests, clock()));
}

const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `Request ${from + index}.`);

/** Notes what is sent; fails while `isDown`. */
function notedMailer() {
  const sent: { id: string; subject: string; text: string; address: string }[] = [];
  const noted = {
    sent,
    isDown: false,
    mailer: {
      send: async ({ id, subject, text, to: { address } }: Mail) => {
        sent.push({ id, subject, text, address });
        if (noted.isDown) throw new Error('down');
      },
    },
  };
  return noted;
}

describe('many mails that ask one person for decisions', () => {
  test('are ten within an hour; the rest become one mail at its end, without what was decided meanwhile', async () => {
    const { sent, mailer } = notedMailer();
    await queue(askMail, ...names(1, 30));
    await deliver({ mailer, kinds });
    expect(sent).toHaveLength(10);
    const single = sent.map(({ subject }) => subject);
    later(600);
    await queue(askMail, ...names(31, 32), 'soon');
    await queue(plainMail, 'It has ended.');
    const { key } = await awaitGuard();
    await deliver({ mailer, kinds });
    const ofOther = guardAdmins.find((email) => email !== guard.email);
    expect(
      sent
        .slice(10)
        .map(({ subject, address }) => `${address} ${subject}`)
        .sort(),
    ).toEqual(
      [
        `${guard.email} soon`,
        `${guard.email} It has ended.`,
        `${ofOther} ${key}: support access to restricted awaits your approval`,
      ].sort(),
    );
    await gateway.sql.query(
      `UPDATE mails SET details = details || '{"over": "yes"}' WHERE details ->> 'what' = 'Request 31.'`,
    );
    sent.length = 0;
    later(2_000);
    await deliver({ mailer, kinds });
    expect(sent).toEqual([]);
    later(1_100);
    const rival = await gateway.sql.connect();
    onTestFinished(() => rival.release(true));
    await rival.query('BEGIN');
    await rival.query(
      `SELECT pg_advisory_xact_lock(hashtextextended('digest ' || id, 0)) FROM accounts WHERE email = $1`,
      [guard.email],
    );
    await deliver({ mailer, kinds });
    expect(sent, 'while another gateway claims it').toEqual([]);
    await rival.query('ROLLBACK');
    await Promise.all([deliver({ mailer, kinds }), deliver({ mailer, kinds })]);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ subject: '22 more requests wait for you', address: guard.email });
    expect(sent[0]?.text).toContain(`${key}: approve or deny access to restricted as a Guard admin\n`);
    const listed = sent[0]?.text.match(/^Request \d+\.$/gm) ?? [];
    expect(new Set([...listed, ...single]).size).toBe(31);
    expect(listed).not.toContain('Request 31.');
    later(7_200);
    await deliver({ mailer, kinds });
    expect(sent).toHaveLength(1);
    expect(new Set((await mailsInDatabase()).map(({ state }) => state))).toEqual(
      new Set(['SENT', 'DROPPED']),
    );
  });

  test('are told in the digest again if it fails, as the same mail, and each is given up with an entry', async () => {
    const noted = notedMailer();
    const givenUp: string[] = [];
    await queue(askMail, ...names(1, 13));
    await deliver({ mailer: noted.mailer, kinds });
    noted.isDown = true;
    noted.sent.length = 0;
    later(3_601);
    const logger = createLogger('silent');
    for (let round = 0; round < maxAttempts; round += 1) {
      const onGivenUp = (kind: string) => void givenUp.push(kind);
      const { mailer } = noted;
      while (await deliverMails({ database, clock, logger, mailer, kinds, onGivenUp }, never));
      later(86_400);
    }
    expect(noted.sent).toHaveLength(maxAttempts);
    expect(new Set(noted.sent.map(({ id }) => id)).size).toBe(1);
    expect(givenUp).toEqual(['ask', 'ask', 'ask']);
    const { rows } = await gateway.sql.query(
      `SELECT count(*)::int FROM audit_entries WHERE action = 'mail.give_up' AND details ->> 'kind' = 'ask'`,
    );
    expect(rows).toEqual([{ count: 3 }]);
  });

  test('are one mail of limited length', () => {
    const lines = names(1, 60);
    const { subject, text } = writeDigest({ recipientName: 'Grace', requests: lines, news: [] });
    expect(subject).toBe('60 more requests wait for you');
    expect(text).toContain('Request 50.\n… and 10 more.\n');
    expect(text).not.toContain('Request 51.');
  });
});

describe('beyond a quota, mails of one kind become a digest, and none is lost', () => {
  const quotas = { ...defaultQuotas, mailsOfKindToPersonPerHour: 3, mailsOfKindToOrganizationPerHour: 1_000 };
  const linesIn = (text: string) => text.match(/^(Request|News) \d+\.$/gm) ?? [];
  const news = (from: number, to: number) => names(from, to).map((name) => name.replace('Request', 'News'));

  test('to one person: what asks for nothing within an hour, what asks for a decision within ten minutes', async () => {
    const { sent, mailer } = notedMailer();
    const run = () => deliver({ mailer, kinds, quotas });
    await queue(plainMail, ...news(1, 7));
    await run();
    expect(sent).toHaveLength(3);
    later(600);
    await queue(askMail, ...names(1, 5));
    await run();
    expect(sent.map(({ subject }) => subject.split(' ')[0])).toEqual([
      ...['News', 'News', 'News', 'Request', 'Request', 'Request'],
    ]);
    const single = sent.splice(0).map(({ subject }) => subject);
    later(300);
    await run();
    expect(sent).toEqual([]);
    later(310);
    await run();
    expect(sent.map(({ subject }) => subject)).toEqual(['2 more requests wait for you']);
    later(2_400);
    await run();
    expect(sent.map(({ subject }) => subject).slice(1)).toEqual(['4 more messages for you']);
    expect([...single, ...sent.flatMap(({ text }) => linesIn(text))].sort()).toEqual(
      [...news(1, 7), ...names(1, 5)].sort(),
    );
    await queue(plainMail, ...news(8, 8));
    await run();
    expect(sent.at(-1)?.subject, 'an hour after those that count').toBe('News 8.');
  });

  test('to the people of one organization together; another kind is not held up', async () => {
    const { sent, mailer } = notedMailer();
    const toAll = { ...plainMail, name: 'to-all', recipient: "a.email LIKE '%admin@acme.example'" };
    const own = { ...quotas, mailsOfKindToPersonPerHour: 1_000, mailsOfKindToOrganizationPerHour: 4 };
    const run = () => deliver({ mailer, kinds: [...kinds, toAll], quotas: own });
    await queue(toAll, ...news(1, 3));
    const { length: queued } = await mailsInDatabase();
    await run();
    expect(sent).toHaveLength(4);
    await queue(plainMail, 'News 4.');
    await run();
    expect(sent.map(({ subject }) => subject).slice(4)).toEqual(['News 4.']);
    later(3_601);
    await run();
    const told = sent.flatMap(({ subject, text, address }) =>
      (subject.startsWith('News') ? [subject] : linesIn(text)).map((line) => `${line} ${address}`),
    );
    expect(new Set(told).size).toBe(queued + 1);
    expect(told).toHaveLength(queued + 1);
  });

  test('what is asked for again stays in the digest, which comes in time', async () => {
    const { sent, mailer } = notedMailer();
    const run = () => deliver({ mailer, kinds, quotas });
    const aboutId = randomUUID();
    const askAgain = (what: string) =>
      database.transaction((tx) =>
        queueMails(tx, [{ kind: plainMail, aboutId, details: { what } }], clock()),
      );
    for (let count = 1; count <= 3; count += 1) {
      await askAgain(`News ${count}.`);
      await run();
    }
    for (let count = 4; count <= 8; count += 1) {
      await askAgain(`News ${count}.`);
      await run();
      later(600);
    }
    expect(sent.map(({ subject }) => subject)).toEqual(news(1, 3));
    later(601);
    await run();
    expect(sent.map(({ subject }) => subject)).toEqual([...news(1, 3), 'News 8.']);
  });

  test('several gateways count together', async () => {
    const { sent, mailer } = notedMailer();
    await queue(plainMail, ...news(1, 60));
    const own = { ...quotas, mailsOfKindToPersonPerHour: 20 };
    await Promise.all([1, 2, 3].map(() => deliver({ mailer, kinds, quotas: own })));
    // Of those that claim at the same moment, each may claim the last ones.
    expect(sent.length).toBeGreaterThanOrEqual(20);
    expect(sent.length).toBeLessThan(20 + 3 * 5);
  });
});

test('counts that no quota looks at any more are deleted', async () => {
  const { mailer } = notedMailer();
  await queue(plainMail, 'News 1.');
  await deliver({ mailer, kinds });
  expect(await deleteMailCounts(database.prisma, clock(), 100)).toBe(0);
  later(3_661);
  expect(await deleteMailCounts(database.prisma, clock(), 100)).toBe(2);
});

test('the queue is also there under the name that the previous version knows', async () => {
  const { grantId } = await awaitGuard();
  await gateway.sql.query('DELETE FROM guard_mails');
  expect(await mailsInDatabase()).toEqual([]);
  // What the previous version runs: it queues, claims and settles a mail.
  await gateway.sql.query(
    `INSERT INTO guard_mails (grant_id, recipient_id, due_at, created_at)
     SELECT $1::uuid, id, now(), now() FROM accounts WHERE email = $2 ON CONFLICT DO NOTHING`,
    [rawId(grantId), guard.email],
  );
  const { rows } = await gateway.sql.query(
    `WITH due AS (
       SELECT grant_id, recipient_id FROM guard_mails WHERE state = 'WAITING' AND due_at <= now()
        ORDER BY due_at LIMIT 5 FOR UPDATE SKIP LOCKED
     ), mail AS (
       UPDATE guard_mails AS m SET attempts = m.attempts + 1, due_at = now() FROM due
        WHERE m.grant_id = due.grant_id AND m.recipient_id = due.recipient_id RETURNING m.*
     ) SELECT * FROM mail`,
  );
  expect(rows).toMatchObject([{ grant_id: rawId(grantId), attempts: 1, kind: 'guard-request' }]);
  await gateway.sql.query(
    `UPDATE guard_mails SET last_error = 'no', state = CAST($1::text AS "public"."guard_mail_state")
      WHERE state = CAST($2::text AS "public"."guard_mail_state")`,
    ['WAITING', 'WAITING'],
  );
  await deliver();
  expect(recipients()).toEqual([guard.email]);
});

test('old mails are deleted, and no others', async () => {
  await awaitGuard();
  const moment = (seconds: number) => new Date(Date.now() + seconds * 1_000);
  await deleteMailsBefore(database.prisma, moment(-60), 100);
  expect(await mailsInDatabase()).toHaveLength(guardAdmins.length);
  await deleteMailsBefore(database.prisma, moment(60), 1);
  expect(await mailsInDatabase()).toHaveLength(guardAdmins.length - 1);
});

/** The tables that the statements write to, in order. */
function writesOf(sent: readonly string[]): string[] {
  return sent.flatMap((sql) => /^\s*(?:INSERT INTO|UPDATE)\s+"?(?:public"\."?)?(\w+)/.exec(sql)?.[1] ?? []);
}

test('an active grant that passes to another engineer is told to the reporter and to the approver', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
  await deliver();
  expect(recipients(), 'of a request').toEqual([]);
  await done(admin, 'approveDataAccess', { ticketId });
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
  await deliver();
  expect(recipients()).toEqual([admin.email, world.acme.emails.reporter].sort());
  await done(world.operator, 'assignTicket', { ticketId, engineerId: null });
  await deliver();
  expect(recipients(), 'also of the next one').toHaveLength(4);
});

test('several active grants of a ticket that pass together are one mail, which the next assignment replaces', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const approver = world.acme.emails.jiraAdmin;
  await done(await gateway.as(approver), 'approveDataAccess', { ticketId });
  const { id: grantId } = await done(await gateway.as(world.engineer.email), 'requestDataAccess', {
    ...{ ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['conversation-1'] },
  });
  await done(admin, 'approveDataAccess', { grantId });
  for (const { id: engineerId } of [world.otherEngineer, world.engineer])
    await done(world.operator, 'assignTicket', { ticketId, engineerId });
  await deliver();
  expect(recipients()).toEqual([admin.email, approver, world.acme.emails.reporter].sort());
  for (const { email } of mailServer.received)
    expect(email.text).toMatch(/^Engineer: {5}erin\nBefore: {7}sam$/m);

  await done(world.operator, 'assignTicket', { ticketId, engineerId: null });
  await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId });
  await deliver();
  expect(mailServer.received, 'once the grants are over').toHaveLength(3);
});

test('the first use of a grant is told to the reporter and to the approver, once', async () => {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  await done(admin, 'approveDataAccess', { ticketId });
  const engineer = await gateway.as(world.engineer.email);
  const use = { grantId, reason: 'GATHER_LOGS', note: 'To read them', country: 'IE' };
  const { id: supportSessionId } = await done(engineer, 'startSupportSession', use);
  await deliver();
  expect(recipients()).toEqual([admin.email, world.acme.emails.reporter].sort());
  for (const { email } of mailServer.received)
    expect(email.text).toMatch(
      /^Engineer: {5}erin\nFrom: {9}IE\nAt: .*\nReason: {7}to read logs\nNote: {9}To read them$/m,
    );
  await done(engineer, 'endSupportSession', { supportSessionId });
  await done(engineer, 'startSupportSession', use);
  await deliver();
  expect(mailServer.received).toHaveLength(2);
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
