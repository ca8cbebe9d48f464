import type { Socket } from 'node:net';
import { CloseCode, type WebSocket as ProtocolSocket, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { RequestSource } from '../platform/request-source.ts';
import { bearerKey, type Session } from './authentication.ts';
import type { ConnectionCounter } from './connection-counter.ts';
import type { Expirable, ExpiryTimer } from './expiry-timer.ts';
import type { IdleConnections } from './idle-connections.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { acceptMessagesOf } from './message-size.ts';
import { type OperationEndReason, RunningOperation } from './running-operation.ts';
import type { SlowConsumerHandler } from './slow-consumers.ts';
import { SocketWriter } from './socket-writer.ts';

/** Codes with which the gateway closes WebSockets, in addition to those of the graphql-transport-ws protocol. */
export const closeCodes = {
  goingAway: 1001,
  tryAgainLater: 1013,
  slowConsumer: 4413,
  unauthorized: CloseCode.Unauthorized,
  forbidden: CloseCode.Forbidden,
  tooManyConnections: CloseCode.TooManyInitialisationRequests,
  internalError: CloseCode.InternalServerError,
} as const;

/** What all connections share. */
export type ConnectionDependencies = {
  connections: ConnectionCounter;
  idleConnections: IdleConnections;
  expiryTimer: ExpiryTimer;
  limits: Limits;
  log: Log;
};

/** One client's WebSocket, with its session and its running operations. */
export class Connection implements ProtocolSocket, Expirable, SlowConsumerHandler {
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  /** Where the request came from that has opened it. */
  readonly source: RequestSource;
  readonly #writer: SocketWriter;
  readonly #dependencies: ConnectionDependencies;
  /** By the payload of the `subscribe` message. */
  readonly #operations = new Map<SubscribePayload, RunningOperation>();
  /**
   * Ids of queries, mutations and operations in preparation. Draining waits until they are answered, and none of
   * these ids can be used again before that.
   */
  #unanswered: readonly string[] = [];
  /** Characters of the message that was received last, and of those that started the operations that run. */
  #messageCharacters = 0;
  #operationCharacters = 0;
  #session: Session | null = null;
  #isDraining = false;
  #closeCode: number | null = null;
  /** On the clock of `performance.now()`. */
  #pausedUntil = 0;

  /** @param stream the network connection below the WebSocket */
  constructor(
    socket: WebSocket,
    stream: Socket,
    source: RequestSource,
    dependencies: ConnectionDependencies,
  ) {
    this.#socket = socket;
    this.#stream = stream;
    this.source = source;
    this.#writer = new SocketWriter(socket, stream, dependencies.limits);
    this.#dependencies = dependencies;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get session(): Session | null {
    return this.#session;
  }

  onMessage(receive: (data: string) => Promise<void>): void {
    this.#socket.on('message', (data) => {
      // Ignores what arrives between our close frame and the client's.
      if (!this.isOpen) return;
      const message = String(data);
      this.#messageCharacters = message.length;
      receive(message).catch((error: unknown) => {
        this.#dependencies.log.error(
          { ...this.source, err: error },
          'A WebSocket message could not be handled',
        );
        this.close(closeCodes.internalError, 'Internal server error');
      });
    });
  }

  send(message: string): Promise<undefined> | undefined {
    if (this.isOpen && this.#writer.isOverfull) {
      const { bufferedAmount } = this.#socket;
      this.#dependencies.log.warn(
        { ...this.source, bufferedAmount },
        'A WebSocket was terminated because its client does not read',
      );
      this.#socket.terminate();
    }
    // A closed socket gives no backpressure: a source that always has a next value would keep the process busy.
    if (!this.isOpen) this.#endOperations('CLIENT_GONE');
    return this.#writer.send(message);
  }

  /**
   * Reads nothing for a while, for longer after each refusal: a client that sends more than is admitted is slowed down,
   * instead of being answered with refusals as fast as it sends.
   */
  pause(): void {
    const { refusalPauseMs, longestPauseMs } = this.#dependencies.limits;
    const now = performance.now();
    const until = Math.max(this.#pausedUntil, now) + refusalPauseMs;
    this.#pausedUntil = Math.min(until, now + longestPauseMs);
    if (this.#socket.isPaused) return;
    this.#socket.pause();
    this.#resumeOnceDue();
  }

  #resumeOnceDue(): void {
    const ms = this.#pausedUntil - performance.now();
    if (ms <= 0) this.#socket.resume();
    else setTimeout(() => this.#resumeOnceDue(), ms).unref();
  }

  /** With which the gateway has closed it; null: it has not. */
  get closeCode(): number | null {
    return this.#closeCode;
  }

  close(code?: number, reason?: string): void {
    if (this.isOpen) this.#closeCode = code ?? null;
    this.#socket.close(code, reason);
  }

  /** Opens the session, until its token expires. From then on messages may be as long as requests. Returns false if the bearer has the most connections allowed. */
  open(session: Session): boolean {
    const { connections, idleConnections, expiryTimer, limits } = this.#dependencies;
    if (!connections.acquire(bearerKey(session.claims))) return false;
    acceptMessagesOf(this.#socket, limits.requestBytes);
    idleConnections.remove(this.#stream);
    expiryTimer.schedule(this, session.claims.expiresAt);
    this.#session = session;
    return true;
  }

  expire(): void {
    this.close(closeCodes.forbidden, 'Token expired');
    this.#endOperations('TOKEN_EXPIRED');
  }

  /** The client reads the close frame after the bytes that wait for it. If it does not, its socket is terminated. */
  onSlowConsumer(): void {
    this.#dependencies.log.warn(this.source, 'A WebSocket was closed because its client does not read');
    this.close(closeCodes.slowConsumer, 'Slow consumer');
    this.#endOperations('SLOW_CONSUMER');
  }

  /** Whether one more operation may run, started by the message that was received last. */
  get hasRoom(): boolean {
    const { operationsPerSocket, operationCharactersPerSocket } = this.#dependencies.limits;
    const characters = this.#operationCharacters + this.#messageCharacters;
    return this.#operations.size < operationsPerSocket && characters <= operationCharactersPerSocket;
  }

  /**
   * Starts an operation whose results are sent under this id. Returns undefined, and starts nothing, while another
   * operation with the same id is unanswered, even if the client has completed that one: the protocol could not tell
   * their results apart.
   */
  startOperation(id: string, payload: SubscribePayload, session: Session): RunningOperation | undefined {
    if (this.#unanswered.includes(id)) return undefined;
    this.#unanswered = [...this.#unanswered, id];
    const prefix = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    const operation: RunningOperation = new RunningOperation('WEBSOCKET', session, this.source, (result) =>
      operation.ended === null ? this.send(`${prefix}${result}}`) : undefined,
    );
    operation.keptCharacters = this.#messageCharacters;
    this.#operationCharacters += operation.keptCharacters;
    this.#operations.set(payload, operation);
    return operation;
  }

  /** Marks the operation as a stream: it has no final answer that draining would have to wait for. */
  markStream(id: string, payload: SubscribePayload): void {
    const operation = this.#operations.get(payload);
    if (operation === undefined || operation.isStream) return;
    operation.isStream = true;
    this.#onAnswered(id);
  }

  /** Ends an operation. The protocol sends its last message within the same turn of the event loop. */
  endOperation(id: string, payload: SubscribePayload): void {
    const operation = this.#operations.get(payload);
    if (operation === undefined) return;
    this.#operations.delete(payload);
    this.#operationCharacters -= operation.keptCharacters;
    operation.end('CLIENT_GONE');
    if (!operation.isStream) this.#onAnswered(id);
  }

  /**
   * Closes with 1001, now or as soon as the running requests are answered. Subscriptions end without a `complete`
   * message, so that clients resume them on another gateway.
   */
  startDraining(): void {
    this.#isDraining = true;
    if (this.#unanswered.length > 0) return;
    this.close(closeCodes.goingAway, 'Going away');
    this.#endOperations('SHUTTING_DOWN');
  }

  /** Must be called when the socket has closed. */
  onClosed(): void {
    if (this.#session !== null) {
      const { claims } = this.#session;
      this.#dependencies.connections.release(bearerKey(claims));
      this.#dependencies.expiryTimer.cancel(this, claims.expiresAt);
      this.#session = null;
    }
    this.#endOperations('CLIENT_GONE');
  }

  #onAnswered(id: string): void {
    this.#unanswered = this.#unanswered.filter((other) => other !== id);
    if (this.#isDraining) setImmediate(() => this.startDraining());
  }

  #endOperations(reason: OperationEndReason): void {
    for (const operation of this.#operations.values()) operation.end(reason);
  }
}
