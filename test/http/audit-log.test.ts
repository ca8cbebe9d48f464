/** The sealed logs over HTTP: who reads which, what the files are, and that whatever is changed in the database is named. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { detailsByAction } from '../../src/audit/details.ts';
import { logName } from '../../src/audit/log-name.ts';
import type { Reading, Readings } from '../../src/audit/readings.ts';
import { detailsWithGlobalIds, leafOf } from '../../src/audit/record.ts';
import { createHeads, createProof, parseLine } from '../../src/audit/verify-export.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { checkpointText, openCheckpoint } from '../../src/transparency/checkpoint.ts';
import { openInclusionProof, parseInclusionProof } from '../../src/transparency/inclusion-proof.ts';
import { keysOfLog } from '../../src/transparency/log-keys.ts';
import { leafHash, provesConsistency } from '../../src/transparency/merkle-tree.ts';
import { signNote, verifierKey } from '../../src/transparency/signed-note.ts';
import { appendLeaves, emptyEdge, hashesOf, rootOf } from '../../src/transparency/tiles.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { buildSumdbVerifier } from '../support/go.ts';
import { giveAllPositions } from '../support/positions.ts';
import { runProgram } from '../support/program.ts';
import { removeThrough } from '../support/removal.ts';
import { insertAuditEntries, rawId } from '../support/rows.ts';
import { logKeys, signingKeys } from '../support/sealing.ts';
import { fullSize } from '../support/size.ts';
import { assignRole, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const texts = signingKeys();
let gateway: TestGateway;
let world: World;
let acme: string;
/** Who reads all of Acme's log: its admin, an auditor, its own service account, a Guard admin of all of it. */
const readers: Person[] = [];
/** Who reads only a part of it, or nothing. */
let others: Person[];
let vendors: Person[];
let grantId: string;
/** What would be on record of having been read. */
const read: Reading[] = [];

beforeAll(async () => {
  const readings: Readings = {
    record: async (found) => void read.push(...found),
    save: async () => undefined,
  };
  ({ gateway, world } = await startGatewayWithWorld({ config: { auditSigningKeys: texts }, readings }));
  acme = world.acme.organizationId;
  const auditor = await gateway.as(world.acme.emails.reporter);
  const { viewer } = await auditor.ask('{ viewer { account { ... on User { id } } } }');
  await assignRole(world, { userId: viewer.account.id, role: 'AUDITOR', organizationId: acme });
  const service = { email: 'siem@acme.example', name: 'SIEM', capabilities: ['AUDIT_READING'] };
  await done(world.operator, 'addServiceAccount', { ...service, organizationId: acme });
  readers.push(world.admins.acme, auditor, await gateway.as(service.email), world.guardAdmins.acme);
  const analyst = { email: 'cora@vendor.example', name: 'Cora' };
  await done(world.operator, 'addComplianceAnalyst', analyst);
  const [engineer, siteAdmin, auditing] = await Promise.all(
    [world.engineer.email, world.acme.emails.siteAdmin, world.services.auditing].map(gateway.as),
  );
  vendors = [world.operator, auditing as Person, await gateway.as(analyst.email)];
  others = [...vendors, world.admins.globex, engineer as Person, siteAdmin as Person];
  grantId = (await fileTicket(gateway, world)).grantId ?? '';
  // More than one tile.
  await insertAuditEntries(gateway, rawId(acme), 300);
  await expectSealed();
});
afterAll(() => gateway.dispose());

/** Waits until everything in Acme's log is sealed. */
async function expectSealed(): Promise<void> {
  await eventually(async () => {
    const { rows } = await gateway.sql.query<{ open: number }>(
      `SELECT (SELECT count(*) FROM audit_entries WHERE organization_id = $1)
              - (SELECT max(size) FROM audit_checkpoints WHERE organization_id = $1) AS open`,
      [rawId(acme)],
    );
    expect(rows).toEqual([{ open: '0' }]);
  });
}

const keysOf = (organizationId: string) => keysOfLog(logKeys(texts), logName(rawId(organizationId)));

async function get(path: string, person: Pick<Person, 'token'> | null = world.admins.acme) {
  const response = await fetch(`${gateway.url}${path}`, {
    headers: person === null ? {} : { authorization: `Bearer ${person.token}` },
    signal: AbortSignal.timeout(generousMs),
  });
  const body = Buffer.from(await response.arrayBuffer());
  const code = response.ok ? undefined : JSON.parse(body.toString()).error.code;
  return { status: response.status, code, body, headers: response.headers };
}

const inLog = (path: string, organizationId = acme) => `/audit/log/${organizationId}/${path}`;

async function downloaded(path: string): Promise<string> {
  const { status, body, headers } = await get(path);
  expect(status).toBe(200);
  const next = /<(.+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
  return body.toString() + (next === undefined ? '' : await downloaded(next));
}

/** What is proved of a download, or the sentence that says what is not. */
function proved(text: string, kept: readonly string[] = []) {
  const { verifiers } = keysOf(acme);
  try {
    const heads = createHeads(verifiers);
    const lines = text.trim().split('\n').map(parseLine);
    for (const note of kept) heads.add(note);
    for (const line of lines) if ('checkpoint' in line) heads.add(line.checkpoint);
    const proof = createProof(heads.inOrder(), verifiers);
    for (const line of lines) proof.read(line);
    return proof.end();
  } catch (error) {
    return (error as Error).message;
  }
}

describe('who reads', () => {
  const paths = ['checkpoint', 'tile/0/000', 'tile/entries/000', 'export'];

  test('everybody who reads the whole log of their organization', async () => {
    for (const reader of readers)
      for (const path of paths) expect((await get(inLog(path), reader)).status, path).toBe(200);
  });

  test('nobody else: a log that is not theirs is as one that does not exist', async () => {
    const nobodys = logName('01900000-0000-7000-8000-000000000000');
    for (const path of paths) {
      const absent = await get(inLog(path, nobodys));
      expect(absent).toMatchObject({ status: 404, code: 'NOT_FOUND' });
      for (const other of others) expect((await get(inLog(path), other)).body).toEqual(absent.body);
      expect((await get(inLog(path), null)).status).toBe(401);
    }
    for (const name of ['vendor', 'x', '%', '00000000-0000-0000-0000-000000000000', `${acme}x`, rawId(acme)])
      expect((await get(`/audit/log/${name}/checkpoint`)).status, name).toBe(404);
  });

  test('the vendor’s own log is that of its operators, analysts and auditing accounts', async () => {
    for (const person of vendors) {
      const { status, body } = await get('/audit/log/vendor/checkpoint', person);
      expect(status).toBe(200);
      const { origin, verifiers } = keysOfLog(logKeys(texts), 'vendor');
      expect(openCheckpoint(body.toString(), verifiers).origin).toBe(origin);
    }
    expect((await get('/audit/log/vendor/checkpoint', others[4])).status).toBe(404);
  });
});

describe('the files of C2SP tlog-tiles', () => {
  test('lead from the entries to the signed head', async () => {
    const note = await get(inLog('checkpoint'));
    expect(note.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(note.headers.get('cache-control')).toBe('no-store');
    const head = openCheckpoint(note.body.toString(), keysOf(acme).verifiers);
    expect(head.origin).toBe(`log.example/audit/log/${acme}`);
    const [full, partial] = [
      await get(inLog('tile/0/000')),
      await get(inLog(`tile/0/001.p/${head.size - 256}`)),
    ];
    expect(full.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    expect(full.headers.get('content-type')).toBe('application/octet-stream');
    expect(full.body.length).toBe(8_192);
    const leaves = hashesOf(Buffer.concat([full.body, partial.body]));
    expect(rootOf(appendLeaves(emptyEdge, leaves).edge)).toEqual(head.root);

    const bundle = (await get(inLog('tile/entries/000'))).body;
    const entries: Buffer[] = [];
    for (let at = 0; at < bundle.length; at += 2 + bundle.readUInt16BE(at))
      entries.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
    expect(entries.map(leafHash)).toEqual(leaves.slice(0, 256));
    expect((await get(inLog('tile/0/000.p/7'))).body).toEqual(full.body.subarray(0, 7 * 32));
    expect((await get(inLog('tile/1/000.p/1'))).body.length).toBe(32);
  });

  test.each([
    'tile/0/001',
    'tile/0/002.p/1',
    'tile/0/001.p/255',
    'tile/1/000',
    'tile/0/1',
    'tile/entries/009',
    'x',
  ])('%s is not there', async (path) => {
    expect(await get(inLog(path))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});

test('an export is proved without the server, by the command', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-verify-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [file, note] = [join(folder, 'export.ndjson'), join(folder, 'head.txt')];
  const text = await downloaded(inLog('export'));
  await writeFile(file, text);
  await writeFile(note, (await get(inLog('checkpoint'))).body);
  const [key] = keysOf(acme).verifiers.map(verifierKey);
  const verify = (...given: string[]) => runProgram('src/audit-verify.ts', file, ...given).ended;
  const good = await verify('--key', key ?? '', '--checkpoint', note);
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(good.stdout).toMatch(
    /^Proved: entries 1 to \d+ are as they were sealed, and none is missing\.\nHead: /,
  );
  await writeFile(file, text.replace('"position":7,', '"position":7,"forged":true,'));
  expect(await verify('--key', key ?? '')).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringContaining('NOT PROVED: Entry 7 was altered: '),
  });
});

test('an export goes on from any position, and says what is wrong with a parameter', async () => {
  expect(proved(await downloaded(`${inLog('export')}?from=300`))).toMatchObject({ entries: { first: 257 } });
  for (const query of ['from=0', 'from=x', 'until=3', 'from=1&from=2'])
    expect(await get(`${inLog('export')}?${query}`), query).toMatchObject({
      status: 400,
      code: 'BAD_REQUEST',
    });
  expect((await get(`${inLog('export')}?from=999999`)).status).toBe(404);
});

/** Changes the database as its owner who has switched every rule off, and takes that back afterwards. */
async function tamper(...statements: string[]): Promise<void> {
  const client = new pg.Client(gateway.databaseUrl);
  await client.connect();
  await client.query(`SET session_replication_role = 'replica'`);
  await client.query('CREATE TABLE kept_entries AS TABLE audit_entries');
  await client.query('CREATE TABLE kept_positions AS TABLE audit_positions');
  onTestFinished(async () => {
    for (const name of ['entries', 'positions'])
      await client.query(
        `DELETE FROM audit_${name}; INSERT INTO audit_${name} SELECT * FROM kept_${name}; DROP TABLE kept_${name}`,
      );
    await client.end();
  });
  for (const statement of statements) await client.query(statement.replaceAll('$1', `'${rawId(acme)}'`));
}

const entryAt = (position: number) =>
  `(txid, seq) = (SELECT txid, seq FROM audit_positions WHERE organization_id = $1 AND position = ${position})`;
/** Gives the entries from a position on others, which are so much higher. */
const shift = (from: number, by: number) =>
  [1_000_000 + by, -1_000_000].map(
    (more, at) =>
      `UPDATE audit_positions SET position = position + ${more} WHERE organization_id = $1 AND position >= ${at === 0 ? from : 1_000_000}`,
  );

describe('what is changed in the database is named', () => {
  test.each<[string, string[], RegExp]>([
    [
      'altered',
      [`UPDATE audit_entries SET actor_name = 'Nobody' WHERE ${entryAt(200)}`],
      /^Entry 200 was altered: /,
    ],
    [
      'deleted',
      [
        `DELETE FROM audit_entries WHERE ${entryAt(200)}`,
        'DELETE FROM audit_positions WHERE organization_id = $1 AND position = 200',
        ...shift(201, -1),
      ],
      /^Entry 200 is missing\.$/,
    ],
    [
      'inserted',
      [
        ...shift(200, 1),
        `INSERT INTO audit_entries
           SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'seq', -1))).* FROM audit_entries e
            WHERE ${entryAt(199)}`,
        `INSERT INTO audit_positions SELECT $1, 200, txid, seq FROM audit_entries WHERE seq = -1`,
      ],
      /^An entry was inserted before entry 200: /,
    ],
    [
      'reordered',
      [
        'UPDATE audit_positions SET position = 1000000 WHERE organization_id = $1 AND position = 200',
        'UPDATE audit_positions SET position = 200 WHERE organization_id = $1 AND position = 210',
        'UPDATE audit_positions SET position = 210 WHERE organization_id = $1 AND position = 1000000',
      ],
      /^Entry 200 was reordered: at its place is the one that was sealed as entry 210 /,
    ],
    [
      'truncated',
      ['DELETE FROM audit_positions WHERE organization_id = $1 AND position > 299'],
      /^Entries 300 to \d+ are missing\.$/,
    ],
  ])('%s', async (_, statements, said) => {
    await tamper(...statements);
    expect(proved(await downloaded(inLog('export')))).toMatch(said);
  });
});

describe('the story of a grant', () => {
  test('is one file of its entries, which is proved by itself', async () => {
    const { status, body, headers } = await get(`/audit/grants/${encodeURIComponent(grantId)}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const { rows } = await gateway.sql.query('SELECT id FROM audit_entries WHERE grant_id = $1', [
      rawId(grantId),
    ]);
    expect(rows.length).toBeGreaterThan(0);
    expect(proved(body.toString())).toMatchObject({
      ...{ entries: null, alone: rows.length },
      grant: { id: grantId, isWhole: true },
    });
    const changed = body.toString().replace('"outcome":"SUCCEEDED"', '"outcome":"REFUSED"');
    expect(proved(changed)).toMatch(/^Entry \d+ \(.+\) cannot be trusted\. The entry is not the one/);
  });

  test('is for those who read the whole log, and nobody else', async () => {
    for (const reader of readers) expect((await get(`/audit/grants/${grantId}`, reader)).status).toBe(200);
    const absent = await get(
      `/audit/grants/${Buffer.from('Grant:01900000-0000-7000-8000-000000000000').toString('base64')}`,
    );
    expect(absent.status).toBe(404);
    for (const other of others)
      expect((await get(`/audit/grants/${grantId}`, other)).body).toEqual(absent.body);
    for (const wrong of ['x', acme, '%'])
      expect((await get(`/audit/grants/${wrong}`)).status, wrong).toBe(404);
    expect((await get(`/audit/grants/${grantId}?after=x`)).status).toBe(400);
  });
});

describe('by GraphQL', () => {
  const ofOrganization = `query ($id: ID!, $from: SafeInt!) { node(id: $id) { ... on Organization { auditLogHead {
    checkpoint size rootHash signedAt verifierKeys consistencyProof(from: $from) } } } }`;
  const ofEntries = `query ($filter: AuditLogFilter) { auditLog(filter: $filter, first: 30) { edges { node {
    position inclusionProof } } } }`;
  const ofGrant =
    'query ($id: ID!) { node(id: $id) { ... on Grant { auditTrail { isSealed head { size } } } } }';

  test('whoever reads the whole log gets its head, and proofs that verify', async () => {
    const { origin, verifiers } = keysOf(acme);
    const exported = (await downloaded(inLog('export'))).trim().split('\n').map(parseLine);
    const records = exported.filter((line) => 'position' in line);
    const leaves = records.map((record) => leafHash(leafOf(record)));
    for (const reader of readers) {
      const { auditLogHead: head } = (await reader.ask(ofOrganization, { id: acme, from: 299 })).node;
      const root = Buffer.from(head.rootHash, 'base64');
      expect(openCheckpoint(head.checkpoint, verifiers)).toEqual({ origin, size: head.size, root });
      expect(head.verifierKeys).toEqual(verifiers.map(verifierKey));
      const earlier = { size: 299, root: rootOf(appendLeaves(emptyEdge, leaves.slice(0, 299)).edge) };
      const path = head.consistencyProof.map((hash: string) => Buffer.from(hash, 'base64'));
      expect(provesConsistency(earlier, { size: head.size, root }, path)).toBe(true);

      const { auditLog } = await reader.ask(ofEntries, { filter: { organizationId: acme } });
      for (const { node } of auditLog.edges.filter(
        ({ node: { position } }: Json) => position <= leaves.length,
      ))
        expect(
          openInclusionProof(node.inclusionProof, leaves[node.position - 1] as Buffer, verifiers),
        ).toMatchObject({
          ...{ leaf: node.position - 1, head: { origin } },
        });
      const grant = (await reader.ask(ofGrant, { id: grantId })).node;
      // The service account reads the log, and no grants.
      if (reader === readers[2]) expect(grant).toBeNull();
      else expect(grant.auditTrail).toEqual({ isSealed: true, head: { size: head.size } });
    }
    for (const from of [0, 999_999]) {
      const { errors } = await world.admins.acme.send(ofOrganization, { id: acme, from });
      expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
  });

  test('nobody else learns even how long a log is', async () => {
    for (const other of others) {
      const { node } = await other.ask(ofOrganization, { id: acme, from: 1 });
      expect(node?.auditLogHead ?? null).toBeNull();
      const { auditLog } = await other.ask(ofEntries, { filter: { organizationId: acme } }).catch(() => ({
        auditLog: { edges: [] },
      }));
      for (const { node: entry } of auditLog.edges) expect(entry.inclusionProof).toBeNull();
      const grant = (await other.ask(ofGrant, { id: grantId })).node;
      expect(grant?.auditTrail ?? null).toBeNull();
    }
  });

  test('the vendor’s people prove the vendor’s own log', async () => {
    const { verifiers } = keysOfLog(logKeys(texts), 'vendor');
    const filter = { action: 'ACCOUNT_ADD_OPERATOR' };
    for (const person of vendors) {
      const { auditLog } = await person.ask(ofEntries, { filter });
      const proofs = auditLog.edges.map(({ node }: Json) => node.inclusionProof);
      expect(proofs).toHaveLength(1);
      for (const proof of proofs) openCheckpoint(parseInclusionProof(proof).checkpoint, verifiers);
    }
  });
});

/** Other people's code: golang.org/x/mod/sumdb, as the checksum database of Go verifies its log. */
describe.runIf(fullSize)('golang.org/x/mod/sumdb', () => {
  type Proofs = { Inclusion: { Index: number; Path: string[] }[]; Consistency: string[] };
  let built: Awaited<ReturnType<typeof buildSumdbVerifier>>;
  let folder: string;
  let key: string;
  beforeAll(async () => {
    built = await buildSumdbVerifier();
    folder = await mkdtemp(join(tmpdir(), 'latchkey-log-'));
    await expectSealed();
    const note = (await get(inLog('checkpoint'))).body.toString();
    const { size } = openCheckpoint(note, keysOf(acme).verifiers);
    [key = ''] = keysOf(acme).verifiers.map(verifierKey);
    const records = (await downloaded(inLog('export')))
      .split('\n')
      .filter((line) => line.includes('"position":'));
    const { rows } = await gateway.sql.query<{ note: string; size: string }>(
      'SELECT note, size FROM audit_checkpoints WHERE organization_id = $1 ORDER BY size LIMIT 1',
      [rawId(acme)],
    );
    const { node, auditLog } = await world.admins.acme.ask(
      `query ($id: ID!, $from: SafeInt!) {
        node(id: $id) { ... on Organization { auditLogHead { size consistencyProof(from: $from) } } }
        auditLog(filter: { organizationId: $id }, first: 100, orderBy: OLDEST) { edges { node { inclusionProof } } } }`,
      { id: acme, from: Number(rows[0]?.size) },
    );
    expect(node.auditLogHead.size).toBe(size);
    const proofs: Proofs = {
      Consistency: node.auditLogHead.consistencyProof,
      Inclusion: auditLog.edges.map(({ node: { inclusionProof } }: Json) => {
        const { leaf, path } = parseInclusionProof(inclusionProof);
        return { Index: leaf, Path: path.map((hash) => hash.toString('base64')) };
      }),
    };
    await writeFile(join(folder, 'checkpoint'), note);
    await writeFile(join(folder, 'earlier'), rows[0]?.note ?? '');
    await writeFile(join(folder, 'records'), `${records.join('\n')}\n`);
    await writeFile(join(folder, 'proofs.json'), JSON.stringify(proofs));
    for (const tile of ['0/000', `0/001.p/${size - 256}`, '1/000.p/1']) {
      await mkdir(dirname(join(folder, 'tile', tile)), { recursive: true });
      const { status, body } = await get(inLog(`tile/${tile}`));
      expect(status).toBe(200);
      await writeFile(join(folder, 'tile', tile), body);
    }
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    if ('folder' in built) await rm(built.folder, { recursive: true });
  });

  type Change = readonly [name: string, change: (given: Buffer) => string | Buffer];

  /** What the verifier says of the files after these changes, which are taken back. Null: it cannot be built here. */
  async function said(...changes: Change[]) {
    if ('missing' in built) return null;
    const originals = await Promise.all(changes.map(([name]) => readFile(join(folder, name))));
    for (const [at, [name, change]] of changes.entries())
      await writeFile(join(folder, name), change(originals[at] ?? Buffer.alloc(0)));
    const verified = await built.verify(folder, key);
    for (const [at, [name]] of changes.entries()) await writeFile(join(folder, name), originals[at] ?? '');
    return verified;
  }

  test('accepts the checkpoint, the tiles, the records and the proofs', async ({ skip }) => {
    if ('missing' in built) return skip(built.missing);
    expect(await said()).toEqual({
      accepted: true,
      said: expect.stringMatching(
        /^accepted: 3\d\d records, 100 proofs, consistent with \d+ of log\.example/,
      ),
    });
  });

  const flipped = (bytes: Buffer): Buffer => {
    const changed = Buffer.from(bytes);
    changed[40] = (changed[40] ?? 0) ^ 1;
    return changed;
  };
  const text = (change: (given: string) => string) => (bytes: Buffer) => change(bytes.toString());
  const proofs = (change: (given: Proofs) => void) =>
    text((given) => {
      const parsed = JSON.parse(given) as Proofs;
      change(parsed);
      return JSON.stringify(parsed);
    });
  const stranger = () => keysOfLog(logKeys(signingKeys()), logName(rawId(acme)));
  /** Another history of the same length, signed with the right key. */
  const fork = (given: string): string => {
    const { origin, size } = openCheckpoint(given, keysOf(acme).verifiers);
    const root = rootOf(
      appendLeaves(
        emptyEdge,
        Array.from({ length: size }, () => leafHash(Buffer.from('x'))),
      ).edge,
    );
    return signNote(checkpointText({ origin, size, root }), keysOf(acme).signers);
  };

  const altered = text((given) => given.replace('SUCCEEDED', 'REFUSED'));
  /** The hashes of a tile, of which one is that of the altered first record. */
  let alteredHash: Buffer;
  const withAlteredHash = (given: Buffer) => Buffer.concat([alteredHash, given.subarray(32)]);

  test.each<[string, RegExp, ...Change[]]>([
    ['a record that was altered', /record \d+ is not the one/, ['records', altered]],
    [
      'a record that was altered with its hash',
      /tiles: |records: they lead/,
      ['records', altered],
      ['tile/0/000', withAlteredHash],
    ],
    ['a record that is missing', /records: \d+ of \d+/, ['records', text((t) => t.replace(/^.*\n/, ''))]],
    ['a hash that was altered', /tiles: |record 2 is not the one/, ['tile/0/000', flipped]],
    [
      'a head of another size',
      /checkpoint: invalid signature/,
      ['checkpoint', text((t) => t.replace(/\n(\d+)\n/, '\n300\n'))],
    ],
    [
      'a head that somebody else has signed',
      /checkpoint: (note has no verifiable signatures|invalid signature)/,
      [
        'checkpoint',
        text((t) => signNote(checkpointText(openCheckpoint(t, keysOf(acme).verifiers)), stranger().signers)),
      ],
    ],
    ['a fork that is signed with the right key', /tiles: /, ['checkpoint', text(fork)]],
    [
      'the proof of another entry',
      /proof of record 1: /,
      [
        'proofs.json',
        proofs(({ Inclusion: [first, second] }) => {
          if (first !== undefined && second !== undefined) first.Path = second.Path;
        }),
      ],
    ],
    ['an earlier head of another history', /consistency: /, ['earlier', text(fork)]],
  ])('rejects %s', async (_, reason, ...changes) => {
    const [first = ''] = (await readFile(join(folder, 'records'), 'utf8')).split('\n');
    alteredHash = leafHash(Buffer.from(first.replace('SUCCEEDED', 'REFUSED')));
    const verified = await said(...changes);
    if (verified !== null) expect(verified).toEqual({ accepted: false, said: expect.stringMatching(reason) });
  });
});

describe('who reads is on record', () => {
  const log = () => rawId(acme);
  const vendor = '00000000-0000-0000-0000-000000000000';

  /** What is on record of what was read meanwhile: by whom, in which log, and what of it. */
  async function recorded(reads: () => Promise<unknown>) {
    read.length = 0;
    await reads();
    for (const { action, details } of read)
      expect(detailsByAction.get(action)?.safeParse(detailsWithGlobalIds(details as object)).error).toBe(
        undefined,
      );
    return read.map(({ action, reader, logId, details }) => ({
      ...{ did: action.replace('audit_entries.', ''), by: reader.email, logId, details },
    }));
  }

  test.each<[string, string, object]>([
    ['checkpoint', 'prove', { of: 'HEAD' }],
    ['tile/0/000', 'prove', { of: 'HASHES' }],
    ['tile/entries/000', 'export', { of: 'BUNDLE' }],
    ['export', 'export', { of: 'LOG' }],
  ])('of %s', async (path, did, details) => {
    const admin = world.admins.acme;
    expect(await recorded(() => get(inLog(path), admin))).toEqual([
      { did, by: admin.email, logId: log(), details },
    ]);
    expect(await recorded(() => get(inLog(path), world.admins.globex))).toEqual([]);
  });

  test('of the story of a grant, a stream and a table', async () => {
    const { email: by } = world.admins.acme;
    const ofOne = (did: string, details: object) => [{ did, by, logId: log(), details }];
    const grant = { of: 'GRANT', grantId: rawId(grantId) };
    expect(await recorded(() => get(`/audit/grants/${grantId}`))).toEqual(ofOne('export', grant));
    expect(await recorded(() => get('/audit/stream?limit=5'))).toEqual(ofOne('stream', {}));
    expect(await recorded(() => get('/audit/stream?after=99999'))).toEqual([]);
    const part = { after: '2', through: '3' };
    expect(await recorded(() => get(`/audit/export.csv?${new URLSearchParams(part)}`))).toEqual(
      ofOne('export', { of: 'TABLE', conditions: ['after', 'through'], filter: part }),
    );
  });

  test('of heads and proofs by GraphQL', async () => {
    const found = await recorded(() =>
      world.admins.acme.ask(
        `query ($id: ID!, $grant: ID!) {
          node(id: $id) { ... on Organization { auditLogHead { consistencyProof(from: 3) } } }
          grant: node(id: $grant) { ... on Grant { auditTrail { isSealed } } } }`,
        { id: acme, grant: grantId },
      ),
    );
    expect(found.map(({ did, details }) => [did, details['of']]).sort()).toEqual([
      ['prove', 'CONSISTENCY'],
      ['prove', 'GRANT'],
      ['prove', 'HEAD'],
    ]);
  });

  test('of searches and counts, with what was asked for', async () => {
    const filter = { organizationId: acme, actions: ['TICKET_CREATE'], text: 'Jira' };
    const [did, by] = ['search', world.admins.acme.email];
    const search = 'query ($filter: AuditLogFilter) { auditLog(filter: $filter) { edges { node { id } } } }';
    const details = {
      conditions: Object.keys(filter).sort(),
      filter: { ...filter, actions: ['ticket.create'] },
    };
    const [found] = await recorded(() => world.admins.acme.ask(search, { filter }));
    expect({ ...found, details: { ...found?.details, conditions: conditionsOf(found) } }).toEqual({
      ...{ did, by, logId: log(), details },
    });
    expect(
      await recorded(() =>
        world.admins.acme.ask('{ auditSummary(groupBy: [ACTION]) { total { entries } } }'),
      ),
    ).toEqual([{ did: 'count', by, logId: log(), details: { groupBy: ['ACTION'] } }]);
    // Too long to be kept.
    const long = {
      text: 'a',
      ticketKeys: Array.from({ length: 100 }, (_, n) => `SUPPORT-${n}-${'1'.repeat(9)}`),
    };
    const [shortened] = await recorded(() => world.admins.acme.ask(search, { filter: long }));
    expect(shortened?.details).toEqual({ conditions: expect.arrayContaining(['text', 'ticketKeys']) });
  });

  test('of entries by their ids, once for all that a request names in a log', async () => {
    const { rows } = await gateway.sql.query<{ id: string; of: string | null }>(
      `(SELECT id, organization_id AS of FROM audit_entries WHERE organization_id = $1 LIMIT 3)
       UNION ALL (SELECT id, organization_id FROM audit_entries WHERE organization_id IS NULL LIMIT 1)
       UNION ALL (SELECT id, organization_id FROM audit_entries WHERE organization_id = $2 LIMIT 1)`,
      [log(), rawId(world.globex.organizationId)],
    );
    const ids = rows.map(({ id }) => encodeGlobalId('AuditEntry', id));
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const one = 'query ($id: ID!) { node(id: $id) { ... on AuditEntry { action } } }';
    const details = { conditions: ['id'] };
    const { email } = world.admins.acme;
    const own = { did: 'search', by: email, logId: log(), details };
    expect(rows.length).toBe(5);
    expect(await recorded(() => world.admins.acme.ask(query, { ids }))).toEqual([own]);
    expect(await recorded(() => world.admins.acme.ask(one, { id: ids[0] }))).toEqual([own]);
    // Of what they may not see they have read nothing.
    expect(await recorded(() => world.admins.acme.ask(query, { ids: ids.slice(3) }))).toEqual([]);
    const byOperator = { ...own, by: world.operator.email };
    expect(await recorded(() => world.operator.ask(query, { ids }))).toEqual(
      [vendor, log(), rawId(world.globex.organizationId)].map((logId) => ({ ...byOperator, logId })),
    );
  });

  test('of the vendor’s people, in the logs of which they were shown entries, without what they asked for', async () => {
    const search =
      'query ($filter: AuditLogFilter) { auditLog(filter: $filter, last: 3) { edges { node { id } } } }';
    const filter = { organizationId: acme, outcome: 'SUCCEEDED' };
    const analyst = vendors[2] as Person;
    const did = 'search';
    const conditions = expect.arrayContaining(['organizationId', 'outcome']);
    for (const person of [world.operator, analyst]) {
      const by = person.email;
      expect(await recorded(() => person.ask(search, { filter }))).toEqual([
        { did, by, logId: vendor, details: { conditions, filter } },
        { did, by, logId: log(), details: { conditions } },
      ]);
    }
    const nothing = { organizationId: acme, ticketKeys: ['SUP-999999'] };
    expect(
      (await recorded(() => world.operator.ask(search, { filter: nothing }))).map(({ logId }) => logId),
    ).toEqual([vendor]);
    // Nobody reads what they have no part in.
    const foreign = { organizationId: acme };
    expect(await recorded(() => world.admins.globex.ask(search, { filter: foreign }))).toEqual([]);
  });

  const conditionsOf = (found: { details: Reading['details'] } | undefined) =>
    [...((found?.details['conditions'] as string[]) ?? [])].sort();
});

describe('a log of which the oldest entries are removed', () => {
  const ofLog = `query ($id: ID!) { node(id: $id) { ... on Organization {
    auditLogBeginning { position removedUntil removedAt } } } }`;
  const through = 290;
  let kept = '';

  beforeAll(async () => {
    await expectSealed();
    kept = (await get(inLog('checkpoint'))).body.toString();
    await removeThrough(gateway.sql, rawId(acme), through);
  });

  test('is proved by the command, which says what is removed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-verify-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [file, note] = [join(folder, 'export.ndjson'), join(folder, 'head.txt')];
    const text = await downloaded(inLog('export'));
    await writeFile(file, text);
    await writeFile(note, kept);
    const [key] = keysOf(acme).verifiers.map(verifierKey);
    const given = ['--key', key ?? '', '--checkpoint', note];
    const { code, stdout } = await runProgram('src/audit-verify.ts', file, ...given).ended;
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^Proved: entries 291 to \d+ are as they were sealed, and none is missing\.$/),
      'Removed: entries 1 to 290, which the organization does not keep any longer, as the file says. The head has their hashes.',
    ]);
    expect(code).toBe(0);
    const lines = text.trim().split('\n');
    expect(proved(lines.toSpliced(5, 1).join('\n'))).toMatch(/^Entry 29\d is missing\.$/);
    expect(proved(lines.toSpliced(1, 1).join('\n'))).toBe('Entries 257 to 290 are missing.');
  });

  test('says so to those who read the whole log, and to nobody else', async () => {
    for (const reader of readers)
      expect((await reader.ask(ofLog, { id: acme })).node.auditLogBeginning).toEqual({
        ...{ position: through + 1, removedUntil: expect.any(String), removedAt: expect.any(String) },
      });
    for (const other of others)
      expect((await other.ask(ofLog, { id: acme })).node?.auditLogBeginning ?? null).toBeNull();
    const { auditLog } = await world.admins.acme.ask(
      `query ($filter: AuditLogFilter) { auditLog(filter: $filter, orderBy: OLDEST, first: 1) { edges { node { position } } } }`,
      { filter: { organizationId: acme } },
    );
    expect(auditLog.edges).toEqual([{ node: { position: through + 1 } }]);
  });

  test('has the story of a grant without what is removed of it, and says that as well', async () => {
    const { body } = await get(`/audit/grants/${encodeURIComponent(grantId)}`);
    expect(proved(body.toString())).toMatchObject({
      grant: { id: grantId, isWhole: false, removedThrough: through },
    });
    const trail =
      'query ($id: ID!) { node(id: $id) { ... on Grant { auditTrail { isSealed removedThrough } } } }';
    expect((await world.admins.acme.ask(trail, { id: grantId })).node.auditTrail).toEqual({
      ...{ isSealed: true, removedThrough: through },
    });
    const { grantId: later } = await fileTicket(gateway, world);
    await giveAllPositions(gateway.sql);
    const { removedThrough } = (await world.admins.acme.ask(trail, { id: later })).node.auditTrail;
    expect(removedThrough).toBeNull();
  });
});
