/** What integrators have instead of ids: addresses, keys, URLs, and the ticketing system's own ids. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { globalId } from '../support/rows.ts';
import {
  attempt,
  type Customer,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let acme: Customer;
/** Service accounts of Acme, each with one capability, and the vendor's ticketing system. */
let programs: Record<'ticketing' | 'watching' | 'auditing' | 'vendor', Person>;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  acme = world.acme;
  const add = async (name: string, capability: string, organizationId: string | null) => {
    const email = `${name}@programs.example`;
    const account = { email, name, organizationId, capabilities: [capability] };
    await done(world.operator, 'addServiceAccount', account);
    return await gateway.as(email);
  };
  programs = {
    ticketing: await add('ticketing', 'TICKETING', acme.organizationId),
    watching: await add('watching', 'GRANT_WATCHING', acme.organizationId),
    auditing: await add('auditing', 'AUDIT_READING', acme.organizationId),
    vendor: await add('vendor', 'TICKETING', null),
  };
});
afterAll(() => gateway.dispose());

const accountOf = async (person: Person, email: string): Promise<string | null> => {
  const query = 'query ($email: String!) { account(email: $email) { __typename email } }';
  const { account } = await person.ask(query, { email });
  return account && `${account.__typename} ${account.email}`;
};

describe('an account by its address', () => {
  const nobody = 'nobody@nowhere.example';

  test('is found by a ticketing system among the members of the organizations it serves', async () => {
    const { reporter } = acme.emails;
    const others = world.globex.emails.reporter;
    for (const program of [programs.ticketing, programs.vendor])
      expect(await accountOf(program, ` ${reporter.toUpperCase()}`)).toBe(`User ${reporter}`);
    expect(await accountOf(programs.vendor, others)).toBe(`User ${others}`);
    expect(await accountOf(programs.ticketing, others)).toBeNull();
    expect(await accountOf(programs.ticketing, nobody)).toBeNull();
    expect(await accountOf(programs.ticketing, world.otherEngineer.email)).toBe(
      `SupportEngineer ${world.otherEngineer.email}`,
    );
    // Nobody of the platform's.
    expect(await accountOf(programs.ticketing, world.operator.email)).toBeNull();
    expect(await accountOf(programs.ticketing, programs.watching.email)).toBeNull();
    expect(await accountOf(programs.ticketing, programs.ticketing.email)).toBe(
      `ServiceAccount ${programs.ticketing.email}`,
    );
  });

  test('is no longer found once the person has left', async () => {
    const { organizationId } = acme;
    const email = 'leaver@acme.example';
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Leaver' });
    expect(await accountOf(programs.ticketing, email)).toBe(`User ${email}`);
    await done(world.operator, 'removeUser', { organizationId, userId });
    expect(await accountOf(programs.ticketing, email)).toBeNull();
    expect(await accountOf(programs.vendor, email)).toBeNull();
  });

  test('of an engineer is found by a product backend and a SIEM once grants name them', async () => {
    const email = 'newcomer@vendor.example';
    const { id: engineerId } = await done(world.operator, 'addSupportEngineer', { email, name: 'Newcomer' });
    const { ticketId } = await fileTicket(gateway, world);
    for (const program of [programs.watching, programs.auditing])
      expect(await accountOf(program, email)).toBeNull();
    await done(world.operator, 'assignTicket', { ticketId, engineerId });
    for (const program of [programs.watching, programs.auditing])
      expect(await accountOf(program, email)).toBe(`SupportEngineer ${email}`);
    expect(await accountOf(programs.watching, acme.emails.reporter)).toBeNull();
    expect(await accountOf(programs.auditing, acme.emails.reporter)).toBe(`User ${acme.emails.reporter}`);
  });
});

describe('a ticket', () => {
  const find = async (person: Person, args: string): Promise<string | null | undefined> => {
    const { data, errors } = await person.send(`{ ticket(${args}) { key } }`);
    return errors.length > 0 ? String(errors[0]?.extensions['code']) : (data.ticket?.key ?? null);
  };

  test('is found by the id of its ticketing system, which is unique there only', async () => {
    const keys: string[] = [];
    for (const program of [programs.ticketing, programs.vendor]) {
      const { ticketId, key } = await fileTicket(gateway, world);
      await gateway.sql.query(`ALTER TABLE tickets DISABLE TRIGGER tickets_external_id_is_final`);
      await gateway.sql.query(
        `UPDATE tickets SET external_id = '4711', version = version + 1,
                integration_id = (SELECT id FROM accounts WHERE email = $2) WHERE key = $1`,
        [key, program.email],
      );
      await gateway.sql.query(`ALTER TABLE tickets ENABLE TRIGGER tickets_external_id_is_final`);
      expect(ticketId).toBeDefined();
      keys.push(key);
    }
    const [own, vendors] = keys;
    expect(await find(programs.ticketing, 'externalId: "4711"')).toBe(own);
    expect(await find(programs.vendor, 'externalId: "4711"')).toBe(vendors);
    expect(await find(programs.watching, 'externalId: "4711"')).toBeNull();
    const named = (program: Person) => `externalId: "4711", integration: "${program.email.toUpperCase()}"`;
    expect(await find(programs.watching, named(programs.ticketing))).toBe(own);
    expect(await find(programs.watching, named(programs.vendor))).toBe(vendors);
    const [stranger] = [await gateway.as(world.globex.emails.organizationAdmin)];
    expect(await find(stranger, named(programs.vendor))).toBeNull();
    expect(await find(stranger, `externalId: "4711", integration: "nobody@nowhere.example"`)).toBeNull();
  });

  test.each(['', 'key: "SUP-1", externalId: "1"', 'key: "SUP-1", integration: "a@b.example"'])(
    'is not found by (%s)',
    async (args) => {
      const { errors } = await programs.vendor.send(`{ ticket(${args || 'key: null'}) { key } }`);
      expect(errors[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    },
  );
});

test('a product is found by the URL of its site and its key', async () => {
  const find = async (person: Person, siteUrl: string, key: string) => {
    const query = 'query ($siteUrl: String!, $key: String!) { product(siteUrl: $siteUrl, key: $key) { id } }';
    return (await person.ask(query, { siteUrl, key })).product?.id ?? null;
  };
  const { url, products } = acme.sites.main;
  expect(await find(programs.ticketing, `${url.toUpperCase()}/`.replace('HTTPS', 'https'), 'jira')).toBe(
    products.jira,
  );
  expect(await find(programs.ticketing, url, 'trello')).toBeNull();
  expect(await find(programs.ticketing, world.globex.sites.main.url, 'jira')).toBeNull();
});

describe('inputs', () => {
  const filing = () => ({ summary: 'It is slow', grantDataAccess: true });
  const ofMain = () => ({ siteUrl: acme.sites.main.url, productKey: 'jira' });

  test('a ticketing system files and assigns with what it has, and an engineer asks with the key', async () => {
    const filed = await done(programs.ticketing, 'createTicket', {
      ...{ ...filing(), ...ofMain(), reporterEmail: acme.emails.organizationAdmin.toUpperCase() },
    });
    const { rows } = await gateway.sql.query(
      `SELECT t.product_id::text AS product, a.email FROM tickets t JOIN accounts a ON a.id = t.reporter_id WHERE t.key = $1`,
      [filed.key],
    );
    expect(rows.map((row: Json) => ({ ...row, product: globalId('Product', row.product) }))).toEqual([
      { product: acme.sites.main.products.jira, email: acme.emails.organizationAdmin },
    ]);
    const ticketKey = filed.key.toLowerCase();
    const assigned = await done(programs.ticketing, 'assignTicket', {
      ...{ ticketKey, engineerEmail: world.engineer.email.toUpperCase() },
    });
    expect(assigned.id).toBe(filed.id);
    const engineer = await gateway.as(world.engineer.email);
    const rovo = { scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] };
    await done(engineer, 'requestDataAccess', { ticketKey, ...rovo });
    await done(engineer, 'requestChange', {
      ...{ ticketKey, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
      ...{ description: 'Switch it on', justification: 'It is off' },
      validUntil: new Date(Date.now() + 86_400_000).toISOString(),
    });
    await done(engineer, 'updateTicketStatus', { ticketKey, status: 'RESOLVED' });
    await done(engineer, 'closeTicket', { ticketKey });
    await done(engineer, 'reopenTicket', { ticketKey });
    const admin = await gateway.as(acme.emails.organizationAdmin);
    await done(admin, 'approveDataAccess', { ticketKey });
  });

  test.each([
    [
      'createTicket',
      () => ({ ...filing(), ...ofMain(), productId: acme.sites.main.products.jira }),
      'productId',
    ],
    ['createTicket', () => ({ ...filing(), siteUrl: acme.sites.main.url }), 'siteUrl with productKey'],
    ['createTicket', () => filing(), 'exactly one'],
    [
      'createTicket',
      () => ({
        ...filing(),
        ...ofMain(),
        reporterEmail: acme.emails.reporter,
        reporterId: globalId('User', anyId),
      }),
      'at most one of reporterId and reporterEmail',
    ],
    ['closeTicket', () => ({}), 'exactly one of ticketId, ticketKey and externalId'],
    ['closeTicket', () => ({ ticketKey: 'SUP-1', ticketId: globalId('Ticket', anyId) }), 'exactly one'],
    [
      'assignTicket',
      () => ({ ticketKey: 'SUP-1', engineerEmail: world.engineer.email, engineerId: world.engineer.id }),
      'at most one of engineerId and engineerEmail',
    ],
    ['approveDataAccess', () => ({}), 'exactly one of ticketId, ticketKey, externalId and grantId'],
    [
      'approveDataAccess',
      () => ({ grantId: globalId('Grant', anyId), externalId: '1' }),
      'exactly one of ticketId, ticketKey, externalId and grantId',
    ],
    ['revokeDataAccess', () => ({}), 'exactly one of grantId, ticketKey and externalId'],
    [
      'denyDataAccess',
      () => ({ grantId: globalId('Grant', anyId), ticketKey: 'SUP-1' }),
      'exactly one of grantId, ticketKey and externalId',
    ],
    [
      'releaseDataAccess',
      () => ({ grantId: globalId('Grant', anyId), integration: 'a@b.example' }),
      'integration only with externalId',
    ],
    [
      'closeTicket',
      () => ({ ticketKey: 'SUP-1', integration: 'a@b.example' }),
      'integration only with externalId',
    ],
    ['requestDataAccess', () => ({}), 'exactly one of ticketId, ticketKey and externalId'],
  ])('%s says what may be named: %#', async (name, input, message) => {
    const answer = await attempt(programs.ticketing, name, input());
    expect(answer).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) });
  });

  test('tell nobody of other customers, or of what is not theirs', async () => {
    const file = async (input: object) =>
      await attempt(programs.ticketing, 'createTicket', { ...filing(), ...input });
    const unknown = await file({ ...ofMain(), reporterEmail: 'nobody@nowhere.example' });
    expect(unknown).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('reporterEmail'),
    });
    expect(await file({ ...ofMain(), reporterEmail: world.globex.emails.reporter })).toEqual(unknown);
    expect(await file({ ...ofMain(), reporterEmail: world.engineer.email })).toEqual(unknown);

    const reporterEmail = acme.emails.reporter;
    const nowhere = await file({ siteUrl: 'https://nowhere.example', productKey: 'jira', reporterEmail });
    expect(nowhere).toMatchObject({ code: 'NOT_FOUND' });
    expect(await file({ siteUrl: world.globex.sites.main.url, productKey: 'jira', reporterEmail })).toEqual(
      nowhere,
    );

    const { key } = await fileTicket(gateway, world, { customer: 'globex' });
    const close = async (ticketKey: string) =>
      await attempt(programs.ticketing, 'closeTicket', { ticketKey });
    expect(await close(key)).toEqual(await close('SUP-999999'));

    const { key: ticketKey } = await fileTicket(gateway, world);
    const assign = async (engineerEmail: string) =>
      await attempt(programs.ticketing, 'assignTicket', { ticketKey, engineerEmail });
    const nobody = await assign('nobody@nowhere.example');
    expect(nobody).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('engineerEmail'),
    });
    expect(await assign(world.globex.emails.reporter)).toEqual(nobody);
  });

  test('a member files only for themselves, also by address', async () => {
    const reporter = await gateway.as(acme.emails.reporter);
    const file = async (reporterEmail: string) =>
      await attempt(reporter, 'createTicket', { ...filing(), ...ofMain(), reporterEmail });
    expect(await file(acme.emails.organizationAdmin)).toMatchObject({ code: 'FORBIDDEN' });
    expect((await file(acme.emails.reporter)).code).toBeUndefined();
  });
});

describe('a ticket is named in inputs by the id of its ticketing system', () => {
  /** A ticket that this ticketing system has sent under this id. */
  async function sent(program: Person, externalId: string, options: Parameters<typeof fileTicket>[2] = {}) {
    const filed = await fileTicket(gateway, world, options);
    await gateway.sql.query(`ALTER TABLE tickets DISABLE TRIGGER tickets_external_id_is_final`);
    await gateway.sql.query(
      `UPDATE tickets SET external_id = $3, version = version + 1,
              integration_id = (SELECT id FROM accounts WHERE email = $2) WHERE key = $1`,
      [filed.key, program.email, externalId],
    );
    await gateway.sql.query(`ALTER TABLE tickets ENABLE TRIGGER tickets_external_id_is_final`);
    return filed;
  }

  test('by the ticketing system itself, and by others with its address', async () => {
    const own = await sent(programs.ticketing, 'case/1');
    const vendors = await sent(programs.vendor, 'case/1');
    const assigned = await done(programs.ticketing, 'assignTicket', {
      ...{ externalId: ' case/1 ', engineerEmail: world.engineer.email },
    });
    expect(assigned.id).toBe(own.ticketId);
    const engineer = await gateway.as(world.engineer.email);
    const named = { externalId: 'case/1', integration: programs.ticketing.email.toUpperCase() };
    await done(engineer, 'updateTicketStatus', { ...named, status: 'WAITING_FOR_CUSTOMER' });
    expect((await done(programs.vendor, 'closeTicket', { externalId: 'case/1' })).id).toBe(vendors.ticketId);
    const admin = await gateway.as(acme.emails.organizationAdmin);
    const approved = await done(admin, 'approveDataAccess', named);
    const use = { reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
    await done(engineer, 'startSupportSession', { ...named, ...use });
    const released = await done(engineer, 'releaseDataAccess', named);
    expect(released).toMatchObject({ id: approved.id, state: 'ENDED' });
  });

  test('and what is not there is answered as what may not be seen', async () => {
    const { key } = await sent(programs.vendor, 'case/2', { customer: 'globex' });
    const admin = await gateway.as(acme.emails.organizationAdmin);
    const of = (externalId: string) => ({ externalId, integration: programs.vendor.email });
    for (const [name, input, resource] of [
      ['closeTicket', {}, 'Ticket'],
      ['approveDataAccess', {}, 'Grant'],
      ['revokeDataAccess', {}, 'Grant'],
      ['startSupportSession', { reason: 'GATHER_LOGS', note: 'To read', country: 'DE' }, 'Grant'],
    ] as const) {
      const unknown = await attempt(admin, name, { ...of('case/none'), ...input });
      expect(unknown, name).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(resource) });
      expect(await attempt(admin, name, { ...of('case/2'), ...input }), name).toEqual(unknown);
      expect(await attempt(admin, name, { ticketKey: key, ...input }), name).toEqual(unknown);
      const nobody = { externalId: 'case/2', integration: 'nobody@nowhere.example' };
      expect(await attempt(admin, name, { ...nobody, ...input }), name).toEqual(unknown);
    }
  });
});

describe('a grant is named in inputs by the key of its ticket', () => {
  test('as the one for product data that is open there', async () => {
    const { key: ticketKey, grantId } = await fileTicket(gateway, world);
    const engineer = await gateway.as(world.engineer.email);
    const admin = await gateway.as(acme.emails.organizationAdmin);
    const rovo = { scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] };
    await done(engineer, 'requestDataAccess', { ticketKey, ...rovo });
    const denied = await done(admin, 'denyDataAccess', { ticketKey: ticketKey.toLowerCase() });
    expect(denied).toMatchObject({ id: grantId, state: 'DENIED' });
    // Nothing for product data is open any more, whatever else is.
    const nothing = await attempt(admin, 'denyDataAccess', { ticketKey });
    expect(nothing).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('Grant') });
    const { id } = await done(engineer, 'requestDataAccess', { ticketKey });
    expect(await done(engineer, 'withdrawDataAccessRequest', { ticketKey })).toMatchObject({ id });
    await done(admin, 'approveDataAccess', { ticketKey });
    const stale = { ticketKey, expectedVersion: 1 };
    expect(await attempt(admin, 'revokeDataAccess', stale)).toMatchObject({ code: 'VERSION_CONFLICT' });
    expect(await done(admin, 'revokeDataAccess', { ticketKey })).toMatchObject({ state: 'REVOKED' });
  });

  test('also by a Guard admin, who decides on an approval that still holds', async () => {
    const { key: ticketKey } = await fileTicket(gateway, world, { site: 'restricted' });
    const [admin, guard] = [world.admins.acme, world.guardAdmins.acme];
    await done(admin, 'approveDataAccess', { ticketKey });
    expect(await done(guard, 'approveGuardRequest', { ticketKey })).toMatchObject({ state: 'ACTIVE' });
    const { key: another } = await fileTicket(gateway, world, { site: 'restricted' });
    await done(admin, 'approveDataAccess', { ticketKey: another });
    const byAnother = { ticketKey: another, idempotencyKey: 'once' };
    const denied = await done(guard, 'denyGuardRequest', byAnother);
    expect(await done(guard, 'denyGuardRequest', byAnother)).toEqual(denied);
    expect(await attempt(guard, 'approveGuardRequest', { ticketKey: another })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('an approval by somebody who may no longer grant has lapsed, however the grant is named', async () => {
    const { organizationId } = acme;
    const email = 'passing@acme.example';
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Passing' });
    const { id: roleAssignmentId } = await done(world.admins.acme, 'assignRole', {
      ...{ userId, organizationId, role: 'ORGANIZATION_ADMIN' },
    });
    const { key: ticketKey } = await fileTicket(gateway, world, { site: 'restricted' });
    await done(await gateway.as(email), 'approveDataAccess', { ticketKey });
    await done(world.admins.acme, 'removeRole', { roleAssignmentId });
    expect(await attempt(world.guardAdmins.acme, 'approveGuardRequest', { ticketKey })).toMatchObject({
      code: 'APPROVAL_LAPSED',
    });
  });
});

const anyId = '01890000-0000-7000-8000-000000000000';

test('what is so already is a success that writes nothing', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const counts = async () => {
    const { rows } = await gateway.sql.query(
      `SELECT (SELECT count(*) FROM audit_entries) AS entries, (SELECT count(*) FROM events) AS events,
              (SELECT count(*) FROM mails) AS mails, version FROM tickets WHERE id = $1`,
      [Buffer.from(ticketId, 'base64').toString().split(':')[1]],
    );
    return rows[0];
  };
  const again = async (name: string, input: object) => {
    const first = await done(programs.vendor, name, { ticketId, ...input });
    const before = await counts();
    expect(await done(programs.vendor, name, { ticketId, ...input })).toEqual(first);
    expect(await counts()).toEqual(before);
  };
  await again('assignTicket', { engineerId: world.otherEngineer.id });
  await again('updateTicketStatus', { status: 'RESOLVED' });
  await again('closeTicket', {});
  await again('assignTicket', { engineerId: world.otherEngineer.id });
});
