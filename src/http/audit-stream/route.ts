/** `GET /audit/stream`: a log as lines of JSON after a cursor, waiting for the next entry where there is none (docs/audit-streams.md). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogTail } from '../../audit/streams/tail.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import { claimsOf } from '../access/caller.ts';
import type { Admission } from '../admission/admission.ts';
import { asOperation } from '../admission/as-operation.ts';
import { type Authenticate, bearerKey } from '../authentication.ts';
import type { ConnectionCounter } from '../connection-counter.ts';
import type { ExpiryTimer } from '../expiry-timer.ts';
import type { Limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { RequestRefusedError } from '../request-refused.ts';
import type { Route } from '../routes.ts';
import type { SourceOf } from '../source-of.ts';
import type { LogPage, LogReader, OpenedLog } from './log-reader.ts';
import { readStreamRequest, type StreamRequest } from './request.ts';

export type AuditStreamOptions = {
  reader: LogReader;
  tail: LogTail;
};

export type RouteOptions = AuditStreamOptions & {
  authenticate: Authenticate;
  admission: Admission;
  connections: ConnectionCounter;
  expiryTimer: ExpiryTimer;
  limits: Limits;
  log: Log;
  sourceOf: SourceOf;
};

export type AuditStreamRoute = Route & {
  /** Answers those who wait, with nothing: what the gateway does before it stops. */
  drain(): void;
};

export function auditStreamRoute(options: RouteOptions): AuditStreamRoute {
  const { reader, tail, connections, expiryTimer, limits } = options;
  const draining = new AbortController();

  /** Reads as an operation of the account: admitted, and in its turn. */
  async function read(
    claims: TokenClaims,
    asked: StreamRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ opened: OpenedLog; page: LogPage }> {
    return await asOperation(options, claims, response, async (identify) => {
      const opened = await reader.open(claims, asked.organizationId, options.sourceOf(request));
      identify(opened.account);
      const page = await opened.read(asked);
      // Entries of its own reading would make a stream that waits read for ever.
      if (page.hasNews) await opened.recordReading('audit_entries.stream', {});
      return { opened, page };
    });
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    claims: TokenClaims,
    asked: StreamRequest,
  ): Promise<LogPage> {
    const first = await read(claims, asked, request, response);
    if (!isEmpty(first.page) || asked.waitMs === 0) return first.page;
    const bearer = bearerKey(claims);
    if (!connections.acquire(bearer))
      throw new RequestRefusedError(
        429,
        'TOO_MANY_CONNECTIONS',
        `This account has ${limits.connectionsPerBearer} connections that wait, which is the most allowed.`,
      );
    const gone = new AbortController();
    const expired = new AbortController();
    const time = new AbortController();
    const timer = setTimeout(() => time.abort(), asked.waitMs);
    const token = { expire: () => expired.abort() };
    response.once('close', () => gone.abort());
    expiryTimer.schedule(token, claims.expiresAt);
    const over = AbortSignal.any([gone.signal, expired.signal, time.signal, draining.signal]);
    try {
      let { opened, page } = first;
      while (!over.aborted && isEmpty(page)) {
        // Whoever loses the right to read leaves an entry on the log by that, so it is noticed like any other.
        await tail.entryAfter(opened.logId, page.through, over);
        if (gone.signal.aborted || draining.signal.aborted) break;
        // The last entries of a quiet log are sealed while somebody waits.
        if (time.signal.aborted && asked.headAfter === null) break;
        if (expired.signal.aborted)
          throw new RequestRefusedError(401, 'UNAUTHENTICATED', 'The token has expired. Ask with a new one.');
        ({ opened, page } = await read(
          claims,
          { ...asked, start: { cursor: page.cursor } },
          request,
          response,
        ));
      }
      return page;
    } finally {
      clearTimeout(timer);
      expiryTimer.cancel(token, claims.expiresAt);
      connections.release(bearer);
    }
  }

  return {
    path: '/audit/stream',
    methods: {
      async GET(request, response) {
        const claims = await claimsOf(request, response, options);
        const asked = readStreamRequest(request);
        const { lines, cursor, head, removed } = await answer(request, response, claims, asked);
        if (response.destroyed) return;
        const heads = head === null ? [] : [JSON.stringify({ checkpoint: head.note })];
        // Whoever asks for heads expects lines that are no entries.
        const beginning = removed === null || asked.headAfter === null ? [] : [removed.line];
        const body = [...beginning, ...lines, ...heads].map((line) => `${line}\n`).join('');
        response.writeHead(200, {
          'content-type': 'application/x-ndjson; charset=utf-8',
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
          'latchkey-next-cursor': cursor,
          ...(removed === null ? {} : { 'latchkey-removed-through': String(removed.through) }),
          ...(head === null ? {} : { 'latchkey-head': String(head.size) }),
        });
        response.end(body);
      },
    },
    drain: () => draining.abort(),
  };
}

function isEmpty({ lines, head }: LogPage): boolean {
  return lines.length === 0 && head === null;
}
