/**
 * What is sealed of the audit logs, for those who read a whole log: `/audit/log/<log>/…` has the files of C2SP tlog-tiles and
 * the export, `/audit/grants/<grant>` the story of a grant (docs/audit.md#proving). A log that is somebody else's is answered
 * as one that does not exist.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type pg from 'pg';
import { type Export, readExport, readGrantStory, readTileFile } from '../audit/export.ts';
import { organizationOfLog } from '../audit/log-name.ts';
import type { ReadingAction, Readings } from '../audit/readings.ts';
import { readHeads } from '../audit/sealed-log.ts';
import { may } from '../authorization/operations.ts';
import { relationsToLog } from '../authorization/viewer-relations.ts';
import type { TokenClaims } from '../identity/tokens.ts';
import type { Viewer } from '../identity/viewer.ts';
import { decodeGlobalId } from '../platform/global-id.ts';
import { isId } from '../platform/ids.ts';
import type { LaggingReads, Queryable } from '../platform/replica.ts';
import type { RequestSource } from '../platform/request-source.ts';
import { parseTilePath } from '../transparency/tiles.ts';
import { claimsOf } from './access/caller.ts';
import type { Admission } from './admission/admission.ts';
import { asOperation } from './admission/as-operation.ts';
import type { Account } from './admission/lane.ts';
import type { Authenticate } from './authentication.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { badRequest, RequestRefusedError } from './request-refused.ts';
import { pathOf, type Route } from './routes.ts';
import type { SourceOf } from './source-of.ts';

export type SealedLogs = {
  readonly pool: pg.Pool;
  readonly readings: Readings;
  readonly laggingReads: LaggingReads;
  readonly signIn: (claims: TokenClaims, source: RequestSource) => Promise<Viewer | null>;
  readonly accountOf: (viewer: Viewer) => Account;
};

/** Reads where what is not the end of a log may be read. */
type Read = <Found>(
  work: (db: Queryable, isReplica: boolean) => Promise<Found | null>,
) => Promise<Found | null>;

type RouteOptions = SealedLogs & {
  authenticate: Authenticate;
  admission: Admission;
  limits: Limits;
  log: Log;
  sourceOf: SourceOf;
};

type File = {
  readonly body: string | Buffer;
  readonly headers: OutgoingHttpHeaders;
  /** What is on record of having read it. */
  readonly reading: { readonly action: ReadingAction; readonly details: Readonly<Record<string, unknown>> };
};

/** A browser or proxy of one person may keep what never changes. Nobody else may: logs are not public. */
const immutable = 'private, max-age=31536000, immutable';
const logs = /^\/audit\/log\/([^/]+)\/(.+)$/;
const grants = /^\/audit\/grants\/([^/]+)$/;

export function sealedLogRoutes(options: RouteOptions): Route[] {
  const { pool, readings, laggingReads, signIn, accountOf } = options;

  /** Reads a file of a log as somebody who may. @param read resolves to null if there is no such file */
  async function send(
    request: IncomingMessage,
    response: ServerResponse,
    findLog: () => Promise<string | null>,
    read: (log: string, read: Read) => Promise<File | null>,
  ): Promise<void> {
    const claims = await claimsOf(request, response, options);
    const file = await asOperation(options, claims, response, async (identify) => {
      const viewer = await signIn(claims, options.sourceOf(request));
      if (viewer === null) return null;
      identify(accountOf(viewer));
      const log = await findLog();
      if (log === null || !may('proveAuditLog', relationsToLog(viewer, log))) return null;
      const found = await read(log, async (work) => (await laggingReads.read(pool, viewer.id, work)).found);
      const source = options.sourceOf(request);
      if (found !== null) await readings.record([{ ...found.reading, reader: viewer, source, logId: log }]);
      return found;
    });
    if (file === null)
      throw new RequestRefusedError(404, 'NOT_FOUND', 'There is no such file, or it is not yours to read.');
    response.writeHead(200, { 'content-length': Buffer.byteLength(file.body), ...file.headers });
    response.end(file.body);
  }

  const ofLogs: Route = {
    path: logs,
    methods: {
      async GET(request, response) {
        const [, name = '', path = ''] = logs.exec(pathOf(request) ?? '') ?? [];
        const findLog = async () => organizationOfLog(decoded(name));
        await send(request, response, findLog, (log, read) => readFile(pool, read, log, path, request));
      },
    },
  };
  const ofGrants: Route = {
    path: grants,
    methods: {
      async GET(request, response) {
        const [, name = ''] = grants.exec(pathOf(request) ?? '') ?? [];
        const { typename, id = '' } = decodeGlobalId(decoded(name)) ?? {};
        const findLog = async () =>
          typename === 'Grant' && isId(id) ? await findLogOfGrant(pool, id) : null;
        const read = async (log: string) =>
          download(await readGrantStory(pool, log, id, numberIn(request, 'after', 0)), 'after', request, {
            ...{ of: 'GRANT', grantId: id },
          });
        await send(request, response, findLog, read);
      },
    },
  };
  return [ofLogs, ofGrants];
}

async function readFile(
  pool: pg.Pool,
  read: Read,
  log: string,
  path: string,
  request: IncomingMessage,
): Promise<File | null> {
  if (path === 'checkpoint') {
    const head = (await readHeads(pool, [log])).get(log);
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
    return head === undefined ? null : { body: head.note, headers, reading: proving('HEAD') };
  }
  if (path === 'export')
    return download(await readPart(read, log, numberIn(request, 'from', 1)), 'from', request, { of: 'LOG' });
  const asked = parseTilePath(path);
  const body = asked === null ? null : await read((db) => readTileFile(db, log, asked));
  if (body === null) return null;
  const reading = asked?.level === null ? exporting({ of: 'BUNDLE' }) : proving('HASHES');
  return {
    ...{ body, reading },
    headers: { 'content-type': 'application/octet-stream', 'cache-control': immutable },
  };
}

/** Of what was sealed before the end of the log, everything is the same wherever it is read. The end is the primary's. */
function readPart(read: Read, log: string, from: number): Promise<Export | null> {
  return read(async (db, isReplica) => {
    const part = await readExport(db, log, from);
    return isReplica && part?.next === null ? null : part;
  });
}

const proving = (of: 'HEAD' | 'HASHES'): File['reading'] => ({
  ...{ action: 'audit_entries.prove', details: { of } },
});
const exporting = (details: File['reading']['details']): File['reading'] => ({
  ...{ action: 'audit_entries.export', details },
});

/** What `npm run audit:verify` reads, with a link to what comes next. */
function download(
  exported: Export | null,
  parameter: string,
  request: IncomingMessage,
  what: File['reading']['details'],
): File | null {
  if (exported === null) return null;
  const { lines, next } = exported;
  return {
    body: lines.join(''),
    reading: exporting(what),
    headers: {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'cache-control': 'no-store',
      ...(next === null ? {} : { link: `<${pathOf(request)}?${parameter}=${next}>; rel="next"` }),
    },
  };
}

async function findLogOfGrant(pool: pg.Pool, grantId: string): Promise<string | null> {
  const { rows } = await pool.query<{ log: string }>(
    'SELECT organization_id AS log FROM grants WHERE id = $1::uuid',
    [grantId],
  );
  return rows[0]?.log ?? null;
}

/** @throws RequestRefusedError 400 for another parameter, or another value than a whole number from the smallest on */
function numberIn(request: IncomingMessage, name: string, smallest: number): number {
  const parameters = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  const number = Number(parameters.get(name) ?? smallest);
  const isWell = [...parameters.keys()].every((key) => key === name) && parameters.size <= 1;
  if (isWell && Number.isSafeInteger(number) && number >= smallest) return number;
  throw badRequest(`The only parameter is ${name}, a whole number from ${smallest} on.`);
}

/** A part of a path, of which clients may have encoded letters such as the = of an id. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
