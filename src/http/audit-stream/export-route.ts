/** `GET /audit/export.csv`: a part of a log as a table, for people (docs/audit-streams.md). */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { csvHeader, csvLines } from '../../audit/csv.ts';
import type { AuditRecord } from '../../audit/record.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import { claimsOf } from '../access/caller.ts';
import { asOperation } from '../admission/as-operation.ts';
import { bearerKey } from '../authentication.ts';
import { badRequest, RequestRefusedError } from '../request-refused.ts';
import type { Route } from '../routes.ts';
import { type ExportRequest, exportParameters, readExportRequest } from './export-request.ts';
import type { OpenedLog } from './log-reader.ts';
import { parametersOf } from './request.ts';
import type { RouteOptions } from './route.ts';

/** So many are read at once. */
const pageSize = 1_000;

/**
 * The table is as long as the log was when it was asked for. It is read page by page, as fast as the client reads, and with the
 * rights that the account has at each page. What cannot be finished is cut off, so that nobody takes a part for the whole.
 */
export function auditExportRoute(options: Omit<RouteOptions, 'tail'>): Route & {
  /** Cuts off what is being sent: what the gateway does before it stops. */
  drain(): void;
} {
  const { reader, connections, expiryTimer, limits } = options;
  const draining = new AbortController();

  async function send(
    request: IncomingMessage,
    response: ServerResponse,
    claims: TokenClaims,
    asked: ExportRequest,
    over: AbortSignal,
  ): Promise<void> {
    const opened = <T>(read: (log: OpenedLog) => Promise<T>): Promise<T> =>
      asOperation(options, claims, response, async (identify) => {
        const log = await reader.open(claims, asked.organizationId, options.sourceOf(request));
        identify(log.account);
        return await read(log);
      });
    const { stretch, removedThrough } = await opened(async (log) => {
      await log.recordReading('audit_entries.export', { of: 'TABLE', ...askedFor(request) });
      return { stretch: await log.stretchOf(asked.period), removedThrough: await log.removedThrough() };
    });
    const through = Math.min(stretch.through, asked.through);
    const begins = Math.max(stretch.after, asked.after);
    const isShortened = begins < Math.min(through, removedThrough);
    let after = Math.max(begins, Math.min(through, removedThrough));
    if (through - after > limits.exportedEntries)
      throw badRequest(
        `That is a part of the log with more than ${limits.exportedEntries} entries. Ask for shorter ones, by from and until or by after and through.`,
      );
    response.writeHead(200, {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="audit-log.csv"',
      'cache-control': 'no-store',
      ...(isShortened ? { 'latchkey-removed-through': String(removedThrough) } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    response.write(csvHeader);
    while (after < through) {
      if (over.aborted) return void response.destroy();
      const records = await opened((log) => log.records(after, Math.min(pageSize, through - after)));
      const last = records.at(-1);
      // The log had these entries: they were removed meanwhile, or it is not the same any more.
      if (last === undefined || records[0]?.position !== after + 1) return void response.destroy();
      after = last.position;
      const isWritten = response.write(csvLines(records.filter(isOfPeriod(asked))));
      if (!isWritten) await once(response, 'drain', { signal: over }).catch(() => response.destroy());
    }
    response.end();
  }

  return {
    path: '/audit/export.csv',
    methods: {
      async GET(request, response) {
        const claims = await claimsOf(request, response, options);
        const asked = readExportRequest(request);
        const bearer = bearerKey(claims);
        if (!connections.acquire(bearer))
          throw new RequestRefusedError(
            429,
            'TOO_MANY_CONNECTIONS',
            `This account has ${limits.connectionsPerBearer} connections, which is the most allowed.`,
          );
        const [gone, expired] = [new AbortController(), new AbortController()];
        const token = { expire: () => expired.abort() };
        response.once('close', () => gone.abort());
        expiryTimer.schedule(token, claims.expiresAt);
        try {
          const over = AbortSignal.any([gone.signal, expired.signal, draining.signal]);
          await send(request, response, claims, asked, over);
        } finally {
          expiryTimer.cancel(token, claims.expiresAt);
          connections.release(bearer);
        }
      },
    },
    drain: () => draining.abort(),
  };
}

/** The parameters by which an export is a part of the log. */
function askedFor(request: IncomingMessage): { conditions?: string[]; filter?: Record<string, string> } {
  const given = [...parametersOf(request, exportParameters)].filter(([name]) => name !== 'organization');
  return given.length === 0
    ? {}
    : { conditions: given.map(([name]) => name), filter: Object.fromEntries(given) };
}

function isOfPeriod({ period: { from, until } }: ExportRequest): (record: AuditRecord) => boolean {
  return ({ occurredAt }) => {
    const at = new Date(occurredAt);
    return (from === null || at >= from) && (until === null || at < until);
  };
}
