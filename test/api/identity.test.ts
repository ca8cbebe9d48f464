/** Whom a token speaks for: look-alikes, other issuers, and the people of a development gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Config, IdentityConfig } from '../../src/config/config.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { attempt, done } from '../support/world.ts';

type Sign = (claims: Record<string, unknown>) => Promise<string>;

let issuer: Awaited<ReturnType<typeof startIssuer>>;
let sign: Sign;

beforeAll(async () => {
  issuer = await startIssuer();
  const signWithKey = await issuer.addKey('ES256');
  sign = (claims) => signWithKey({ email_verified: true, ...claims });
});
afterAll(() => issuer[Symbol.asyncDispose]());

const at = (name: string): IdentityConfig => ({
  ...{
    kind: 'oidc',
    issuer: name,
    audience: audienceName,
    jwksUrl: issuer.jwksUrl,
    emailVerified: 'REQUIRED',
  },
});
const configured = (config: Partial<Config> = {}): Partial<Config> => ({
  identity: at(issuerName),
  ...config,
});

async function who(gateway: TestGateway, claims: Record<string, unknown>): Promise<string | null> {
  const { data } = await gateway.withToken(await sign(claims)).send('{ viewer { account { email } } }');
  return data?.viewer?.account.email ?? null;
}

const operatorClaims = { sub: 'operator', email: 'operator@vendor.example' };

async function addMembers(gateway: TestGateway, emails: readonly string[]): Promise<string> {
  const operator = gateway.withToken(await sign(operatorClaims));
  const { id: organizationId } = await done(operator, 'createOrganization', { name: 'Acme' });
  for (const email of emails) await done(operator, 'addUser', { organizationId, email, name: email });
  return organizationId;
}

describe('an address is the same only with the same letters', () => {
  const members = ['mike@acme.example', 'ines@acme.example', 'müller@acme.example', '"a b"@acme.example'];
  let gateway: TestGateway;
  let organizationId: string;

  beforeAll(async () => {
    gateway = await startGateway({ config: configured() });
    organizationId = await addMembers(gateway, members);
  });
  afterAll(() => gateway.dispose());

  test('another letter that Unicode turns into the same is another address', async () => {
    for (const email of ['mi\u212ae@acme.example', '\u0130nes@acme.example', 'ine\u017f@acme.example'])
      expect(await who(gateway, { sub: email, email }), email).toBeNull();
  });

  test('an email that is not verified opens nothing', async () => {
    for (const email_verified of [undefined, false, 'true', 1])
      expect(await who(gateway, { sub: 'stranger', email: members[0], email_verified })).toBeNull();
  });

  test('every member signs in, with ASCII letters in any case', async () => {
    expect(await who(gateway, { sub: 'mike', email: 'MIKE@Acme.Example' })).toBe(members[0]);
    for (const email of members.slice(1)) expect(await who(gateway, { sub: email, email })).toBe(email);
  });

  test('a look-alike is no address of an account, whatever the collation of the database', async () => {
    const operator = gateway.withToken(await sign(operatorClaims));
    for (const email of ['\u212aim@acme.example', '\u0130@acme.example', 'kim@\u212ala.example'])
      expect(await attempt(operator, 'addUser', { organizationId, email, name: 'Kim' })).toMatchObject({
        code: 'INVALID_INPUT',
      });
    const { rows } = await gateway.sql.query(`SELECT lower('\u212aÉX' COLLATE "C") AS lowered`);
    expect(rows).toEqual([{ lowered: '\u212aÉx' }]);
  });

  test('nor is the key of a ticket found by one', async () => {
    const operator = gateway.withToken(await sign(operatorClaims));
    expect(await operator.ask('{ ticket(key: "\u017fup-1001") { id } }')).toEqual({ ticket: null });
  });
});

test('a subject belongs to its issuer, also one that was bound by a version before', async () => {
  const { url: databaseUrl, dispose } = await createTestDatabase();
  try {
    {
      await using gateway = await startGateway({ databaseUrl, config: configured() });
      await addMembers(gateway, ['ada@acme.example']);
      expect(await who(gateway, { sub: 'ada', email: 'ada@acme.example' })).toBe('ada@acme.example');
      await gateway.sql.query('UPDATE accounts SET subject_issuer = NULL');
      expect(await who(gateway, { sub: 'ada' })).toBe('ada@acme.example');
    }
    await (await startGateway({ databaseUrl, config: configured() })).dispose();
    const other = 'https://other-issuer.example';
    await using gateway = await startGateway({ databaseUrl, config: configured({ identity: at(other) }) });
    const claims = { iss: other, sub: 'ada' };
    expect(await who(gateway, claims)).toBeNull();
    expect(await who(gateway, { ...claims, email: 'ada@acme.example' })).toBeNull();
    const { rows } = await gateway.sql.query('SELECT DISTINCT subject_issuer FROM accounts');
    expect(rows).toEqual([{ subject_issuer: issuerName }]);
    // The same subject of another issuer is another person.
    await gateway.sql.query(
      `INSERT INTO accounts (id, kind, email, name, created_at) VALUES (gen_random_uuid(), 'USER', 'eve@acme.example', 'Eve', now())`,
    );
    expect(await who(gateway, { ...claims, email: 'eve@acme.example' })).toBe('eve@acme.example');
  } finally {
    await dispose();
  }
});

test('a database with the sample people refuses a real issuer', async () => {
  await using gateway = await startGateway();
  const { databaseUrl } = gateway;
  await gateway.sql.query(
    `INSERT INTO accounts (id, kind, email, name, created_at) VALUES (gen_random_uuid(), 'SERVICE_ACCOUNT', 'siem@acme.example', 'SIEM', now())`,
  );
  await expect(startGateway({ databaseUrl, config: configured() })).rejects.toThrow(
    /has the sample people.*DATA_FOLDER or DATABASE_URL/,
  );
});

describe('the first operator', () => {
  test('is one, however many gateways start at once with different addresses', async () => {
    const { url: databaseUrl, dispose } = await createTestDatabase();
    try {
      const gateways = await Promise.all(
        ['one', 'two', 'three'].map((name) =>
          startGateway({
            databaseUrl,
            config: configured({ bootstrapOperatorEmail: `${name}@vendor.example` }),
          }),
        ),
      );
      const { rows } = (await gateways[0]?.sql.query('SELECT kind::text FROM accounts')) ?? {};
      expect(rows).toEqual([{ kind: 'OPERATOR' }]);
      await Promise.all(gateways.map((gateway) => gateway.dispose()));
    } finally {
      await dispose();
    }
  });

  test('is not made where the address belongs to somebody else, and the start says so', async () => {
    const { url: databaseUrl, dispose } = await createTestDatabase();
    try {
      const without = await startGateway({
        databaseUrl,
        config: configured({ bootstrapOperatorEmail: null }),
      });
      await without.sql.query(
        `INSERT INTO accounts (id, kind, email, name, created_at) VALUES (gen_random_uuid(), 'SUPPORT_ENGINEER', 'erin@vendor.example', 'Erin', now())`,
      );
      await without.dispose();
      const bootstrapOperatorEmail = 'erin@vendor.example';
      await expect(
        startGateway({ databaseUrl, config: configured({ bootstrapOperatorEmail }) }),
      ).rejects.toThrow(/^BOOTSTRAP_OPERATOR_EMAIL, erin@vendor.example, belongs to .*SupportEngineer/);
    } finally {
      await dispose();
    }
  });
});
