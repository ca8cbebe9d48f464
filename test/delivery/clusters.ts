/** PostgreSQL clusters that are copied while they run, and standbys that follow them. */
import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { clusterFolder, postgresFolder, prepareDataFolder } from '../../src/platform/data-folder.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { eventually } from '../support/eventually.ts';
import { reservePort } from '../support/ports.ts';

/** Milliseconds for a statement, a copy or a connection. */
const patience = 100_000;

const run = (program: string, parameters: string[]) =>
  promisify(execFile)(program, parameters, { timeout: patience });

const clientAt = (url: string): pg.Client =>
  new pg.Client({ connectionString: url, connectionTimeoutMillis: patience, query_timeout: patience });

export type Cluster = {
  readonly url: string;
  readonly port: number;
  /** Runs statements one after the other on a connection of its own; returns the rows of the last one. */
  query(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** A copy of the data, made while the server runs, as `pg_basebackup` makes one. It is not running. */
  copy(): Promise<ClusterCopy>;
  stop(): Promise<void>;
  dispose(): Promise<void>;
};

export type ClusterCopy = {
  /** Starts a server on the copy: the state at the time of the copy. */
  restore(): Promise<Cluster>;
  /** Starts a standby on the copy that follows the server at this port, and waits until it does. */
  follow(primary: Cluster): Promise<Standby>;
};

export type Standby = {
  readonly port: number;
  /** From now on the standby receives nothing more. */
  disconnect(): Promise<void>;
  /** Makes it a primary. */
  promote(): Promise<Cluster>;
  dispose(): Promise<void>;
};

const settings = { fsync: 'off', autovacuum: 'off', max_connections: '60', shared_buffers: '16MB' };

export async function createCluster(): Promise<Cluster> {
  return await startOn(await newDataFolder());
}

/** A new cluster, in which nothing has happened yet, with the same password as another. */
export async function createClusterLike({ url }: Cluster): Promise<Cluster> {
  const dataFolder = await newDataFolder();
  const server = await startEmbeddedPostgres({ dataFolder, settings });
  const { password } = new URL(url);
  const likeOther = new URL(server.url);
  likeOther.password = password;
  await queryAt(server.url, `ALTER ROLE postgres PASSWORD '${decodeURIComponent(password)}'`);
  return clusterOf(dataFolder, { ...server, url: likeOther.href });
}

async function newDataFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'latchkey-cluster-'));
}

async function startOn(dataFolder: string): Promise<Cluster> {
  const port = await reservePort();
  return clusterOf(dataFolder, await startEmbeddedPostgres({ dataFolder, port, settings }));
}

function clusterOf(dataFolder: string, server: EmbeddedPostgres): Cluster {
  return {
    url: server.url,
    port: server.port,
    query: (...statements) => queryAt(server.url, ...statements),
    copy: () => copyOf(dataFolder, server.url),
    stop: () => server.stop(),
    async dispose() {
      await server.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

/** Runs the statements on a connection of their own, and returns the rows of the last one. */
export async function queryAt(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = clientAt(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query(statement));
    return rows;
  } finally {
    await client.end();
  }
}

async function copyOf(dataFolder: string, url: string): Promise<ClusterCopy> {
  const target = await newDataFolder();
  const [from, to] = [postgresFolder(dataFolder), postgresFolder(target)];
  const client = clientAt(url);
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('copy', true)`);
    await prepareDataFolder(target);
    await run('cp', ['-a', from, to]);
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
    const cluster = clusterFolder(to);
    // The log that was written during the copy.
    await run('cp', ['-a', join(clusterFolder(from), 'pg_wal'), cluster]);
    await rm(join(cluster, 'postmaster.pid'), { force: true });
    await writeFile(join(cluster, 'backup_label'), rows[0]?.labelfile ?? '');
  } finally {
    await client.end();
  }
  return {
    restore: () => startOn(target),
    follow: (primary) => startStandby(target, primary),
  };
}

async function startStandby(dataFolder: string, primary: Cluster): Promise<Standby> {
  const cluster = clusterFolder(postgresFolder(dataFolder));
  const { password } = new URL(primary.url);
  const followed = `host=127.0.0.1 port=${primary.port} user=postgres password=${decodeURIComponent(password)}`;
  await writeFile(join(cluster, 'standby.signal'), '');
  await appendFile(join(cluster, 'postgresql.auto.conf'), `primary_conninfo = '${followed}'\n`);
  const port = await reservePort();
  const url = new URL(primary.url);
  url.port = String(port);
  // Its start is complete when it has become a primary.
  const starting = startEmbeddedPostgres({ dataFolder, port, settings });
  starting.catch(() => undefined);
  await eventually(async () => {
    const rows = await primary.query(`SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'`);
    if (rows.length !== 1) throw new Error('The standby does not follow yet');
  });
  const promote = async (): Promise<Cluster> => {
    await queryAt(url.href, 'SELECT pg_promote()');
    return clusterOf(dataFolder, await starting);
  };
  let promoted: Promise<Cluster> | undefined;
  return {
    port,
    async disconnect() {
      await queryAt(url.href, `ALTER SYSTEM SET primary_conninfo = ''`, 'SELECT pg_reload_conf()');
      await eventually(async () => {
        const rows = await queryAt(url.href, 'SELECT 1 FROM pg_stat_wal_receiver');
        if (rows.length > 0) throw new Error('The standby still follows');
      });
    },
    promote() {
      promoted ??= promote();
      return promoted;
    },
    async dispose() {
      promoted ??= promote();
      await (await promoted).dispose();
    },
  };
}
