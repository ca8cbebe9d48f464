import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, defaultAdmission } from '../src/config/config.ts';
import { parseConfig, variableNames } from '../src/config/environment.ts';
import { explainConfig } from '../src/config/explain.ts';
import { defaultQuotas } from '../src/platform/quotas.ts';
import { newSigningKey, parseSigningKey, type Signer, verifierKey } from '../src/transparency/signed-note.ts';

const issuer = {
  OIDC_ISSUER: 'https://login.vendor.example',
  OIDC_AUDIENCE: 'latchkey',
  OIDC_JWKS_URL: 'https://login.vendor.example/keys',
};
/** A secret of webhooks, of so many bytes. */
const secretOf = (byte: number, length = 32) => `whsec_${Buffer.alloc(length, byte).toString('base64')}`;
const logName = 'support-access.vendor.example/audit/log';
const retired = verifierKey(parseSigningKey(newSigningKey(logName)) as Signer);
const auditKeys = [newSigningKey(logName), newSigningKey(logName), retired];
const deployed = {
  ...issuer,
  DATABASE_URL: 'postgresql://latchkey:hunter2@db.example:5432/latchkey',
  CURSOR_SECRET: 'k'.repeat(32),
};

function problemsOf(variables: Record<string, string>): readonly string[] {
  try {
    parseConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('trusted proxies are addresses and ranges, and never everybody', () => {
  const ranges = '10.0.3.7, 10.1.0.0/16,2001:db8:7::/64';
  expect(parseConfig({ TRUSTED_PROXIES: ranges }).trustedProxies).toEqual([
    ...['10.0.3.7', '10.1.0.0/16', '2001:db8:7::/64'],
  ]);
  const tooMany = Array.from({ length: 101 }, (_, at) => `10.0.0.${at}`).join();
  for (const wrong of ['proxy.example', '10.0.0.0/33', '0.0.0.0/0', '::/0', '10.0.3.7;10.0.3.8', tooMany])
    expect(problemsOf({ TRUSTED_PROXIES: wrong }), wrong).toEqual([
      "TRUSTED_PROXIES must be the addresses of proxies or ranges in CIDR notation, IPv4 or IPv6, separated by commas, at most 100, and not everybody's (/0): 10.0.3.7,2001:db8:7::/64.",
    ]);
});

test('the keys of audit logs have one name, and one of them signs', () => {
  const message =
    'AUDIT_SIGNING_KEYS must be at most 8 keys separated by commas, all with one name and at least one of them private, as `npm run audit:key` prints them: PRIVATE+KEY+….';
  const [first = ''] = auditKeys;
  const others = [newSigningKey('another.example'), retired.slice(1), 'hunter2', first];
  for (const keys of [[retired], ...others.map((other) => [first, other]), Array(9).fill(first)])
    expect(problemsOf({ AUDIT_SIGNING_KEYS: keys.join() }), keys.join()).toEqual([message]);
});

describe('nothing set', () => {
  test('uses the embedded database and listens only on this machine', () => {
    expect(parseConfig({})).toEqual({
      host: '127.0.0.1',
      port: 4000,
      production: false,
      logLevel: 'info',
      database: { kind: 'embedded', dataFolder: './data' },
      databasePoolSize: 20,
      databaseReplica: null,
      databaseWaitMs: 60_000,
      redis: null,
      identity: { kind: 'development' },
      cursorSecrets: null,
      auditSigningKeys: null,
      allowedOrigins: [],
      trustedProxies: [],
      publicUrl: null,
      consoleUrl: null,
      mail: {
        kind: 'files',
        dataFolder: './data',
        from: { name: 'Latchkey', address: 'no-reply@latchkey.invalid' },
      },
      guardAppointmentWaitHours: 72,
      quotas: defaultQuotas,
      bootstrapOperatorEmail: null,
      vendorEmailDomains: ['vendor.example'],
      vendorSites: { processingRegions: [], engineerCountries: [] },
      ticketWebhooks: [],
      auditStreamNetworks: [],
      metrics: null,
      admission: defaultAdmission,
      shutdownGraceMs: 10_000,
    });
  });

  test('a blank variable counts as missing', () => {
    expect(parseConfig(Object.fromEntries(variableNames.map((name) => [name, ' '])))).toEqual(
      parseConfig({}),
    );
  });
});

test('everything set', () => {
  expect(
    parseConfig({
      ...deployed,
      DATABASE_OWNER_URL: 'postgresql://owner:hunter2@db.example:5432/latchkey',
      HOST: '0.0.0.0',
      PORT: '0',
      NODE_ENV: 'production',
      LOG_LEVEL: 'warn',
      DATABASE_POOL_SIZE: '7',
      DATABASE_REPLICA_URL: 'postgresql://reader:hunter2@replica.example:5432/latchkey',
      DATABASE_REPLICA_LAG_SECONDS: '4',
      DATABASE_WAIT_SECONDS: '5',
      REDIS_URL: 'rediss://:hunter2@redis.example:6380',
      REDIS_TOPOLOGY: 'CLUSTER',
      REDIS_CHANNEL: 'latchkey:eu',
      CURSOR_SECRET: `${'n'.repeat(40)}, ${'o'.repeat(32)}`,
      AUDIT_SIGNING_KEYS: auditKeys.join(' , '),
      TRUSTED_PROXIES: '10.0.3.7,2001:db8:7::/64',
      ALLOWED_ORIGINS: 'https://a.example, http://localhost:3000',
      PUBLIC_URL: 'https://support-access.vendor.example',
      CONSOLE_URL: 'https://admin.customer.example/support-access',
      SMTP_URL: 'smtps://latchkey:hunter2@mail.example:465',
      MAIL_FROM: 'Latchkey <support-access@vendor.example>',
      GUARD_APPOINTMENT_WAIT_HOURS: '96',
      QUOTAS: 'openTicketsOfUser=7, requestsOfEngineerPerHour=90',
      BOOTSTRAP_OPERATOR_EMAIL: 'Operator@Vendor.example',
      VENDOR_EMAIL_DOMAINS: 'Vendor.example, vendor-support.example, vendor.example',
      PROCESSING_REGIONS: 'EU, US,EU',
      ENGINEER_COUNTRIES: 'DE, IE,DE',
      TICKET_WEBHOOK_SECRETS: `desk=Tickets@Vendor.example:${secretOf(1)}|${secretOf(2)}|${secretOf(3, 64)}, acme-desk=desk@acme.example:${secretOf(4, 24)}`,
      AUDIT_STREAM_NETWORKS: '10.20.0.0/16, 2001:db8:7::/64',
      METRICS_PORT: '9464',
      METRICS_HOST: '10.0.0.7',
      OPERATIONS_PER_ACCOUNT: '11',
      OPERATIONS_PER_SERVICE_ACCOUNT: '12',
      OPERATIONS_PER_ORGANIZATION: '13',
      RATE_PER_ACCOUNT: '14',
      RATE_PER_SERVICE_ACCOUNT: '15',
      RATE_PER_ORGANIZATION: '16',
      SHUTDOWN_GRACE_SECONDS: '30',
    }),
  ).toEqual({
    host: '0.0.0.0',
    port: 0,
    production: true,
    logLevel: 'warn',
    database: {
      kind: 'url',
      url: deployed.DATABASE_URL,
      ownerUrl: 'postgresql://owner:hunter2@db.example:5432/latchkey',
    },
    databasePoolSize: 7,
    databaseReplica: {
      url: 'postgresql://reader:hunter2@replica.example:5432/latchkey',
      mostBehindMs: 4_000,
    },
    databaseWaitMs: 5_000,
    redis: { url: 'rediss://:hunter2@redis.example:6380', topology: 'CLUSTER', channel: 'latchkey:eu' },
    identity: {
      kind: 'oidc',
      issuer: issuer.OIDC_ISSUER,
      audience: 'latchkey',
      jwksUrl: issuer.OIDC_JWKS_URL,
      emailVerified: 'REQUIRED',
    },
    cursorSecrets: ['n'.repeat(40), 'o'.repeat(32)],
    auditSigningKeys: auditKeys,
    trustedProxies: ['10.0.3.7', '2001:db8:7::/64'],
    allowedOrigins: ['https://a.example', 'http://localhost:3000'],
    publicUrl: 'https://support-access.vendor.example',
    consoleUrl: 'https://admin.customer.example/support-access',
    mail: {
      kind: 'smtp',
      url: 'smtps://latchkey:hunter2@mail.example:465',
      from: { name: 'Latchkey', address: 'support-access@vendor.example' },
    },
    guardAppointmentWaitHours: 96,
    quotas: { ...defaultQuotas, openTicketsOfUser: 7, requestsOfEngineerPerHour: 90 },
    bootstrapOperatorEmail: 'operator@vendor.example',
    vendorEmailDomains: ['vendor.example', 'vendor-support.example'],
    vendorSites: { processingRegions: ['EU', 'US'], engineerCountries: ['DE', 'IE'] },
    auditStreamNetworks: ['10.20.0.0/16', '2001:db8:7::/64'],
    ticketWebhooks: [
      {
        ...{ name: 'desk', account: 'tickets@vendor.example' },
        secrets: [secretOf(1), secretOf(2), secretOf(3, 64)],
      },
      { name: 'acme-desk', account: 'desk@acme.example', secrets: [secretOf(4, 24)] },
    ],
    metrics: { host: '10.0.0.7', port: 9464 },
    admission: {
      operationsPerAccount: 11,
      operationsPerServiceAccount: 12,
      operationsPerOrganization: 13,
      ratePerAccount: 14,
      ratePerServiceAccount: 15,
      ratePerOrganization: 16,
    },
    shutdownGraceMs: 30_000,
  });
});

test('only a gateway with the development issuer has a domain of the vendor by default', () => {
  expect(parseConfig({}).vendorEmailDomains).toEqual(['vendor.example']);
  expect(parseConfig(deployed).vendorEmailDomains).toEqual([]);
});

describe('the development issuer', () => {
  test('is on only with the embedded database', () => {
    expect(parseConfig({}).identity.kind).toBe('development');
    expect(parseConfig({ DATA_FOLDER: '/elsewhere', NODE_ENV: 'test' }).identity.kind).toBe('development');
    expect(parseConfig(issuer).identity.kind).toBe('oidc');
  });

  test.each([
    ['in production', { NODE_ENV: 'production' }, /in production/],
    ['with a database of its own', { DATABASE_URL: deployed.DATABASE_URL }, /with DATABASE_URL,/],
    ['on an address that other machines can reach', { HOST: '0.0.0.0' }, /other machines can reach/],
  ])('cannot be on %s', (_where, variables, reason) => {
    const problems = problemsOf(variables).filter((problem) => problem.startsWith('OIDC_'));
    expect(problems).toHaveLength(3);
    for (const problem of problems) expect(problem).toMatch(reason);
  });

  test.each(Object.keys(issuer))('does not replace an issuer without %s', (missing) => {
    expect(problemsOf({ ...issuer, [missing]: '' })).toEqual([
      `${missing} must be set: OIDC_ISSUER, OIDC_AUDIENCE and OIDC_JWKS_URL are set together or not at all.`,
    ]);
  });

  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('works on %s', (HOST) => {
    expect(parseConfig({ HOST }).identity.kind).toBe('development');
  });
});

test.each<[string, string]>([
  ['HOST', 'two words'],
  ['HOST', 'http://host'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '4000.5'],
  ['PORT', '0x10'],
  ['NODE_ENV', 'prod'],
  ['VENDOR_EMAIL_DOMAINS', 'com'],
  ['VENDOR_EMAIL_DOMAINS', 'vendor.example,@vendor.example'],
  ['VENDOR_EMAIL_DOMAINS', '.vendor.example'],
  ['VENDOR_EMAIL_DOMAINS', '[192.0.2.1]'],
  ['VENDOR_EMAIL_DOMAINS', 'bücher.example'],
  ['VENDOR_EMAIL_DOMAINS', Array.from({ length: 51 }, (_, at) => `v${at}.example`).join()],
  ['LOG_LEVEL', 'loud'],
  ['DATABASE_URL', 'mysql://host/latchkey'],
  ['DATABASE_URL', 'postgresql://host'],
  ['DATABASE_URL', 'postgresql://latchkey:hunter#2@host/latchkey'],
  ['DATABASE_URL', 'postgresql://host/latchkey#fragment'],
  ['DATABASE_POOL_SIZE', '1'],
  ['DATABASE_REPLICA_URL', 'mysql://db.example/latchkey'],
  ['DATABASE_REPLICA_LAG_SECONDS', '1'],
  ['DATABASE_REPLICA_LAG_SECONDS', '301'],
  ['PROCESSING_REGIONS', `EU,${'x'.repeat(41)}`],
  ['QUOTAS', 'openTicketsOfUser=0'],
  ['QUOTAS', 'ticketsPerDay=7'],
  ['ENGINEER_COUNTRIES', 'DE,UK'],
  ['ENGINEER_COUNTRIES', 'de'],
  ['DATABASE_URL', 'postgresql://latchkey:123/456@db.example/latchkey'],
  ['REDIS_URL', 'http://redis'],
  ['REDIS_URL', 'redis://latchkey:123#456@redis.example'],
  ['REDIS_URL', 'redis://latchkey:123?456@redis.example'],
  ['SMTP_URL', 'smtp://latchkey:123/456@mail.example'],
  ['REDIS_URL', 'redis-sentinel://sentinel.example:26379'],
  ['REDIS_URL', 'redis://redis.example,redis.other.example'],
  ['REDIS_URL', 'redis://:hunter21@a.example,redis://:hunter22@b.example'],
  ['REDIS_TOPOLOGY', 'SENTINEL'],
  ['DATABASE_URL', 'postgresql://latchkey:hunter2@a.example:5432,b.example:5433/latchkey'],
  ['DATABASE_URL', 'postgresql://a.example,b.example/latchkey?target_session_attrs=read-write'],
  ['DATABASE_URL', 'postgresql:///latchkey?host=a.example,b.example'],
  ['REDIS_CHANNEL', 'two words'],
  ['OIDC_ISSUER', 'login.vendor.example'],
  ['OIDC_ISSUER', 'http://login.vendor.example'],
  ['OIDC_JWKS_URL', 'http://login.vendor.example/keys'],
  ['OIDC_JWKS_URL', 'file:///keys.json'],
  ['OIDC_EMAIL_VERIFIED', 'true'],
  ['CURSOR_SECRET', 'too short'],
  ['CURSOR_SECRET', `${'n'.repeat(32)},short`],
  ['CURSOR_SECRET', ','],
  ['ALLOWED_ORIGINS', 'https://a.example/'],
  ['ALLOWED_ORIGINS', '*'],
  ['ALLOWED_ORIGINS', 'null'],
  ['SMTP_URL', 'mail.example'],
  ['SMTP_URL', 'https://mail.example'],
  ['SMTP_URL', 'smtp:'],
  ['SMTP_URL', 'smtp://mail.example?pool=true'],
  ['MAIL_FROM', 'Latchkey'],
  ['MAIL_FROM', 'Latchkey <support@vendor.example>, a@b.example'],
  ['MAIL_FROM', 'Latchkey\n<support@vendor.example> <a@b.example>'],
  ['BOOTSTRAP_OPERATOR_EMAIL', 'operator'],
  ['OPERATIONS_PER_ACCOUNT', '9'],
  ['RATE_PER_ORGANIZATION', 'many'],
  ['SHUTDOWN_GRACE_SECONDS', '0'],
  ...[
    secretOf(1),
    `desk=${secretOf(1)}`,
    `Desk=a@b.example:${secretOf(1)}`,
    `desk/1=a@b.example:${secretOf(1)}`,
    `desk=nobody:${secretOf(1)}`,
    'desk=a@b.example:hunter22',
    'desk=a@b.example:whsec_hunter22',
    `desk=a@b.example:${secretOf(1, 23)}`,
    `desk=a@b.example:${secretOf(1, 65)}`,
    `desk=a@b.example:${secretOf(1)}=`,
    `desk=a@b.example:${secretOf(1)}|`,
    `desk=a@b.example:${[1, 2, 3, 4].map((byte) => secretOf(byte)).join('|')}`,
    `desk=a@b.example:${secretOf(1)},desk=c@d.example:${secretOf(2)}`,
    `desk=a@b.example:${secretOf(1)},other=A@b.example:${secretOf(2)}`,
    `desk=a@b.example:${secretOf(1)},other=c@d.example:${secretOf(2)}|${secretOf(1)}`,
    Array.from({ length: 51 }, (_, at) => `desk${at}=a${at}@b.example:${secretOf(at)}`).join(),
  ].map((value): [string, string] => ['TICKET_WEBHOOK_SECRETS', value]),
])('%s=%s is refused in one line that names the variable and does not quote the value', (name, value) => {
  const problems = problemsOf({ ...deployed, [name]: value });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${name} must be [^\\n]+\\.$`));
  if (value.length > 8) expect(problems[0]).not.toContain(value);
});

describe('a parameter of DATABASE_URL', () => {
  const problemsWith = (query: string) =>
    problemsOf({ ...deployed, DATABASE_URL: `postgresql://db.example/latchkey?${query}` });

  test.each([
    ['schema=latchkey', /schema: .*"public"/],
    ['connection_limit=5', /connection_limit: DATABASE_POOL_SIZE/],
    ['pgbouncer=true', /pgbouncer: .*pool_mode = session/],
    ['password=hunter2', /password: .*before the @/],
    ['target_session_attrs=read-write', /target_session_attrs: .*takes writes/],
    ['options=-c%20search_path%3Dlatchkey', /options: it may have sslmode, /],
    ['statement_timeout=0', /statement_timeout: it may have sslmode, /],
    ['channel_binding=require', /channel_binding: it may have/],
    ['sslmode=verify-fully', /this value of sslmode/],
    ['sslmode=require&sslmode=', /this value of sslmode/],
    ['hunter%202', /the parameter that it has: /],
  ])('that would be ignored is refused: %s', (query, problem) => {
    const problems = problemsWith(query);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems[0]).toMatch(/^DATABASE_URL must not have [^\n]+\.$/);
    expect(problems[0]).not.toMatch(/hunter|latchkey|verify-fully/);
  });

  test.each([
    'sslmode=verify-full&sslrootcert=/etc/ca.pem',
    'sslmode=require&uselibpqcompat=true&sslnegotiation=direct',
    'host=/var/run/postgresql&port=5433&user=latchkey',
    'application_name=latchkey-eu',
  ])('that the driver honours is accepted: %s', (query) => {
    expect(problemsWith(query)).toEqual([]);
  });
});

test('several nodes of a Redis Cluster', () => {
  const nodes = 'rediss://:hun%2Cter2@a.example:6380, rediss://:hun%2Cter2@b.example';
  expect(parseConfig({ ...deployed, REDIS_URL: nodes, REDIS_TOPOLOGY: 'CLUSTER' }).redis).toEqual({
    url: 'rediss://:hun%2Cter2@a.example:6380',
    otherUrls: ['rediss://:hun%2Cter2@b.example'],
    topology: 'CLUSTER',
    channel: 'latchkey',
  });
  expect(problemsOf({ ...deployed, REDIS_URL: nodes })).toEqual([expect.stringMatching(/TOPOLOGY=CLUSTER/)]);
});

test.each([
  [{ REDIS_TOPOLOGY: 'SENTINEL' }, /do not ask a Redis Sentinel/],
  [{ REDIS_URL: 'redis-sentinel://sentinel.example:26379' }, /not of a Redis Sentinel/],
  [{ DATABASE_URL: 'postgresql://a.example,b.example/latchkey' }, /of one server, not of several/],
])('what is not supported is said: %j', (variables, problem) => {
  expect(problemsOf({ ...deployed, ...variables })).toEqual([expect.stringMatching(problem)]);
});

test('every invalid variable is reported', () => {
  expect(problemsOf({ PORT: 'x', LOG_LEVEL: 'x', REDIS_URL: 'x' }).map((line) => line.split(' ')[0])).toEqual(
    ['PORT', 'LOG_LEVEL', 'REDIS_URL'],
  );
});

describe('mail', () => {
  const SMTP_URL = 'smtp://mail.example';

  test.each([
    ['support@vendor.example', { name: '', address: 'support@vendor.example' }],
    ['Latchkey <support@vendor.example>', { name: 'Latchkey', address: 'support@vendor.example' }],
    ['"Support, Vendor" <s@vendor.example>', { name: 'Support, Vendor', address: 's@vendor.example' }],
  ])('comes from %s', (MAIL_FROM, from) => {
    expect(parseConfig({ SMTP_URL, MAIL_FROM }).mail).toEqual({ kind: 'smtp', url: SMTP_URL, from });
  });

  test('needs a sender', () => {
    expect(problemsOf({ SMTP_URL })).toEqual([
      expect.stringMatching(/^MAIL_FROM must be set together with SMTP_URL/),
    ]);
  });

  test('is written to files only on the embedded database, and never in production', () => {
    expect(parseConfig({ NODE_ENV: 'test' }).mail.kind).toBe('files');
    expect(parseConfig(deployed).mail.kind).toBe('none');
    expect(parseConfig({ ...issuer, NODE_ENV: 'production' }).mail.kind).toBe('none');
  });
});

describe('email_verified', () => {
  test.each([
    ['REQUIRED', { NODE_ENV: 'production' }],
    ['OPTIONAL', { NODE_ENV: 'production', OIDC_EMAIL_VERIFIED: 'OPTIONAL' }],
    ['OPTIONAL', {}],
    ['REQUIRED', { OIDC_EMAIL_VERIFIED: 'REQUIRED' }],
  ])('is %s with %j', (emailVerified, variables) => {
    expect(parseConfig({ ...deployed, ...variables }).identity).toMatchObject({ emailVerified });
  });
});

test('the first operator may have any address that mail servers accept, which is kept in lower case', () => {
  const of = (BOOTSTRAP_OPERATOR_EMAIL: string) =>
    parseConfig({ BOOTSTRAP_OPERATOR_EMAIL }).bootstrapOperatorEmail;
  expect(of('"First Operator"@Vendor.example')).toBe('"first operator"@vendor.example');
  expect(problemsOf({ BOOTSTRAP_OPERATOR_EMAIL: 'mi\u212ae@vendor.example' })).toHaveLength(1);
});

test('the owner of the tables is named together with the role of the gateway, which runs as another one', () => {
  const DATABASE_OWNER_URL = 'postgresql://owner:hunter2@db.example:5432/latchkey';
  expect(problemsOf({ DATABASE_OWNER_URL })).toEqual([
    expect.stringMatching(/^DATABASE_URL must be set together with DATABASE_OWNER_URL/),
  ]);
  const explanation = explainConfig(parseConfig({ ...deployed, DATABASE_OWNER_URL })).join('\n');
  expect(explanation).toContain('migrated by another role');
  expect(explanation).not.toContain('hunter2');
});

test('the replica is named together with the primary, as another server', () => {
  const DATABASE_REPLICA_URL = 'postgresql://reader:hunter2@replica.example:5432/latchkey';
  expect(problemsOf({ DATABASE_REPLICA_URL })).toEqual([
    expect.stringMatching(/^DATABASE_URL must be set together with DATABASE_REPLICA_URL/),
  ]);
  expect(problemsOf({ ...deployed, DATABASE_REPLICA_URL: deployed.DATABASE_URL })).toEqual([
    expect.stringMatching(/^DATABASE_REPLICA_URL must lead to a replica/),
  ]);
  const explanation = explainConfig(parseConfig({ ...deployed, DATABASE_REPLICA_URL })).join('\n');
  expect(explanation).toContain(
    'replica.example:5432/latchkey: audit logs are read there while it is at most 10 s',
  );
  expect(explanation).not.toContain('hunter2');
});

test('the console is an https:// URL, and mail can name all of it', () => {
  for (const wrong of [
    ...[
      'http://a.example',
      'a.example',
      'javascript:alert(1)',
      'https://a.example/?q',
      'https://a.example/#f',
    ],
    ...['https://user@a.example', 'https://user:hunter2@a.example/'],
  ])
    expect(problemsOf({ CONSOLE_URL: wrong }), wrong).toEqual([
      expect.stringMatching(/^CONSOLE_URL must be the https/),
    ]);
  expect(parseConfig({ CONSOLE_URL: 'https://a.example' }).consoleUrl).toBe('https://a.example/');
  expect(parseConfig({ CONSOLE_URL: 'https://a.example/a b' }).consoleUrl).toBe('https://a.example/a%20b');
});

test('the public address is an https:// origin, and the description says whether it is known', () => {
  for (const wrong of [
    'http://a.example',
    'https://a.example/',
    'https://a.example/x',
    'a.example',
    'https://A.example',
  ])
    expect(problemsOf({ PUBLIC_URL: wrong }), wrong).toEqual([
      expect.stringMatching(/^PUBLIC_URL must be the https/),
    ]);
  const described = (variables: Record<string, string>) => explainConfig(parseConfig(variables)).join('\n');
  expect(described({ PUBLIC_URL: 'https://a.example' })).toContain('public     https://a.example');
  expect(described({})).toContain('public     where it listens');
  expect(described(deployed)).toContain('public     address unknown');
});

test('gateways that share a database need the same secret for cursors', () => {
  expect(problemsOf({ ...deployed, CURSOR_SECRET: '' })).toEqual([
    expect.stringMatching(/^CURSOR_SECRET must be set together with DATABASE_URL/),
  ]);
});

test('the description of a configuration names every server and no secret', () => {
  const config = parseConfig({
    ...deployed,
    REDIS_URL: 'redis://user:hunter2@redis.example:6379/1',
    TICKET_WEBHOOK_SECRETS: `desk=tickets@vendor.example:${secretOf(1)}`,
    SMTP_URL: 'smtp://user:hunter2@mail.example:587',
    MAIL_FROM: 'Latchkey <support@vendor.example>',
  });
  const explanation = explainConfig(config).join('\n');
  for (const address of [
    '127.0.0.1:4000',
    'db.example:5432/latchkey',
    'redis.example:6379',
    'mail.example:587',
    'support@vendor.example',
    issuer.OIDC_ISSUER,
  ]) {
    expect(explanation).toContain(address);
  }
  expect(explanation).toContain('desk as tickets@vendor.example');
  for (const secret of ['hunter2', deployed.CURSOR_SECRET, 'whsec'])
    expect(explanation).not.toContain(secret);
});

test('.env.example documents exactly the variables that the gateway reads, in order', () => {
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const documented = [...example.matchAll(/^(?:# )?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name);
  expect(documented).toEqual(variableNames);
});

test('the values in .env.example are valid', () => {
  const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const shown = Object.fromEntries(
    [...example.matchAll(/^# ([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(problemsOf({ ...shown, CURSOR_SECRET: 'k'.repeat(32) })).toEqual([]);
});
