/**
 * Every bound of the transports, in one place. Those ending in `Ms` are milliseconds. They hold for HTTP,
 * server-sent events and WebSocket alike wherever the thing they bound exists there.
 */
export const defaultLimits = {
  /** Bytes of one HTTP request body, and of one WebSocket message. */
  requestBytes: 256 * 1024,

  /** Characters of one GraphQL document; what is longer is not even parsed, nor kept in the parser's cache. */
  documentCharacters: 32 * 1024,
  /** Lexical tokens of one document. GraphiQL's introspection query has about 300. */
  documentTokens: 2_000,
  /** Levels of fields, connections counting three (field, edges, node). Introspection has its own limit. */
  documentDepth: 15,
  /** Aliases in one operation. Clients that act on many things at once pass a list instead. */
  documentAliases: 50,
  /** Objects one operation may return at most, by the page sizes it asks for. */
  operationObjects: 10_000,
  /** From an operation's start to its result, or to the start of its stream. */
  operationMs: 4_500,

  /** For a client to send its headers, and its whole request. */
  requestHeadersMs: 5_000,
  requestMs: 10_000,
  /** An idle connection stays open longer than the minute that proxies usually keep theirs. */
  keepAliveMs: 65_000,

  /** For a WebSocket to send `connection_init`; then 4408. */
  connectionInitMs: 3_000,
  /** Between pings; a WebSocket that has not answered one by the next is terminated. */
  pingMs: 30_000,
  /** Operations under way on one WebSocket; one more is refused on its own id. */
  operationsPerSocket: 100,
  /** WebSockets and event streams under way for one bearer. */
  connectionsPerBearer: 50,
  /** Bytes waiting for a client that reads slowly; with more, what comes next waits with its source. */
  socketHighWaterBytes: 64 * 1024,
  /** Bytes waiting for a client that does not read; a WebSocket with more is cut. */
  socketBufferBytes: 8 * 1024 * 1024,
  /** For a client to read something of what waits for it; then 4413, or its event stream is cut. */
  slowConsumerMs: 4_000,
  /** For a client to answer our close frame. */
  socketCloseMs: 2_000,
  /** An event stream that has not drained by then after its token expired is cut. */
  streamEndMs: 900,

  readinessCheckMs: 1_000,
  /**
   * When the server is disposed, WebSockets and event streams are closed at random moments within the first
   * of these, or within the second for each of them if that is less: few clients make no herd.
   */
  drainMs: 2_500,
  drainPerConnectionMs: 10,
  /** From the disposal on, for all that to be over and requests under way to finish; what is left is cut. */
  shutdownMs: 3_500,
} as const;

export type Limits = { readonly [Name in keyof typeof defaultLimits]: number };
