import { defaultAdmission } from '../config/config.ts';

/**
 * All limits of the transports. Names ending in `Ms` are milliseconds. A limit holds for HTTP, server-sent events and
 * WebSockets alike, wherever the thing it limits exists.
 */
export const defaultLimits = {
  /** Bytes of one HTTP request body, and of one WebSocket message. */
  requestBytes: 256 * 1024,

  /** Characters of one GraphQL document. A longer one is not parsed, so the parser's cache does not keep it. */
  documentCharacters: 32 * 1024,
  /** Lexical tokens of one document. GraphiQL's introspection query has about 300. */
  documentTokens: 2_000,
  /**
   * Fields and fragments that one document selects, counted wherever a fragment is spread. GraphiQL's introspection
   * query has about 200.
   */
  documentSelections: 5_000,
  /** Levels of fields. A connection counts three: field, edges, node. Introspection has a limit of its own. */
  documentDepth: 15,
  /**
   * Pairs of fields with one name at one place of the result, which validation compares: a hundred fields are 4,950. A
   * document in which each of thirty fragments selects the id of the same thing has 435.
   */
  documentComparisons: 5_000,
  /** Aliases in one operation, those of `__typename` included. Clients that act on many things at once use the mutations in bulk instead. */
  documentAliases: 50,
  /**
   * Objects that one operation may return, estimated from the page sizes it asks for, and items of a bulk mutation, which
   * count once more for the work of each.
   */
  operationObjects: 10_000,
  /** Objects of one operation above which it waits for its turn among the large ones. */
  ordinaryObjects: 1_000,
  /** Bytes of parsed documents that are kept to be used again, as far as they can be estimated. */
  documentCacheBytes: 64 * 1024 * 1024,
  /** Bytes of kept answers to introspection, likewise. */
  introspectionBytes: 32 * 1024 * 1024,
  /** Mutations of one operation, which run one after the other in its time. */
  mutations: 10,
  /** Bulk mutations of one operation. */
  bulkMutations: 1,
  /**
   * Operations of an account and of an organization that run or wait at one gateway, and a second. What only ends access
   * counts apart. A subscription counts until it streams.
   */
  ...defaultAdmission,
  /** Operations that wait for their turn. */
  operationsWaiting: 2_000,
  /** For an operation to wait for its turn. */
  turnMs: 2_000,
  /** An operation that was refused for one of these is answered, and its WebSocket read on, only after so long. */
  refusalPauseMs: 100,
  /** A WebSocket on which several were refused at once is not read for so long at most. */
  longestPauseMs: 2_000,
  /** From an operation's start to its result, or to the start of its stream. */
  operationMs: 4_500,

  /** For a client to send its headers. */
  requestHeadersMs: 5_000,
  /** For a client to send its whole request. */
  requestMs: 10_000,
  /** For an idle connection: longer than the minute for which load balancers usually keep theirs. */
  keepAliveMs: 65_000,

  /**
   * Bytes of one message of a WebSocket whose client has not shown its token: as much as all the headers of a request. A longer
   * one closes it with 1009 when it begins.
   */
  initMessageBytes: 16 * 1024,
  /** For a WebSocket client to send `connection_init`. Later it is closed with 4408. */
  connectionInitMs: 3_000,
  /** Between two pings. A WebSocket that has not answered one by the next is terminated. */
  pingMs: 30_000,
  /** Concurrent operations on one WebSocket. One more is refused, and the others continue. */
  operationsPerSocket: 100,
  /**
   * Characters of the messages that started the operations running on one WebSocket. Each message is kept for as long
   * as its operation runs; a subscription needs a few thousand.
   */
  operationCharactersPerSocket: 1024 * 1024,
  /** Connections of a gateway. One more is closed as soon as it is opened. */
  connections: 20_000,
  /**
   * Idle connections of a gateway: without a request that runs, and without a WebSocket whose client has shown its token.
   * One more, and the one that has been idle for longest is closed.
   */
  idleConnections: 4_000,
  /** Concurrent WebSockets and event streams of one bearer. */
  connectionsPerBearer: 50,
  /**
   * Bodies of one bearer that arrive at a time: whoever sends them slowly has each of them kept until it is whole. Of webhooks,
   * which show whose they are only at their end, those for one ticketing system from one address.
   */
  bodiesPerBearer: 1_000,
  /** Evaluations of one bearer that wait for their answers: half of those that a gateway lets wait. */
  evaluationsPerBearer: 1_000,
  /** Entries of the audit log among which one export looks for those of its period. */
  exportedEntries: 1_000_000,
  /** Bytes buffered for one client, above which its subscriptions wait until it has read some (backpressure). */
  socketHighWaterBytes: 64 * 1024,
  /** Bytes buffered for one client, above which its WebSocket is terminated. */
  socketBufferBytes: 8 * 1024 * 1024,
  /**
   * For a client to read any of the bytes that wait for it. Later its WebSocket is closed with 4413, or its event
   * stream is cut.
   */
  slowConsumerMs: 4_000,
  /** For a client to answer a close frame. Later its WebSocket is terminated. */
  socketCloseMs: 2_000,
  /** From a token's expiry to the end of its event stream. Later the stream is cut. */
  streamEndMs: 900,

  readinessCheckMs: 1_000,
  /** While draining, WebSockets and event streams are closed at random moments within this time. */
  drainMs: 2_500,
  /** With few connections draining takes less: this much for each of them, up to `drainMs`. */
  drainPerConnectionMs: 10,
  /**
   * From the start of draining until idle connections are closed. A proxy that sends a request on one meanwhile gets a
   * refusal that it can pass on; on a connection that is being closed it would not know whether a mutation was run.
   */
  drainIdleMs: 1_000,
  /** From the start of draining until connections and requests that are left are cut. */
  shutdownMs: 3_500,
} as const;

export type Limits = { readonly [Name in keyof typeof defaultLimits]: number };
