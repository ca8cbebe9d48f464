import type { Socket } from 'node:net';
import { CloseCode, type WebSocket as ProtocolSocket, type SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { bearerKey, type Session } from './authentication.ts';
import type { ConnectionCounter } from './connection-counter.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { type EndOfOperation, RunningOperation } from './operation.ts';
import type { SocketOwner } from './slow-consumers.ts';
import { SocketWriter } from './socket-writer.ts';
import type { Expiring, TokenExpiry } from './token-expiry.ts';

/** Codes with which the gateway closes a WebSocket, beside those of the graphql-transport-ws protocol. */
export const closeCodes = {
  goingAway: 1001,
  tryAgainLater: 1013,
  slowConsumer: 4413,
  unauthorized: CloseCode.Unauthorized,
  forbidden: CloseCode.Forbidden,
  tooManyConnections: CloseCode.TooManyInitialisationRequests,
  internalError: CloseCode.InternalServerError,
} as const;

/** What all connections have in common. */
export type ConnectionSurroundings = {
  connections: ConnectionCounter;
  expiries: TokenExpiry;
  limits: Limits;
  log: Log;
};

/** One client's WebSocket, with who they are and the operations under way on it. */
export class Connection implements ProtocolSocket, Expiring, SocketOwner {
  readonly #socket: WebSocket;
  readonly #outlet: SocketWriter;
  readonly #surroundings: ConnectionSurroundings;
  /** By the message that asked for them. */
  readonly #operations = new Map<SubscribePayload, RunningOperation>();
  /**
   * Ids of queries and mutations under way, and of what is being prepared. They are answered before the gateway
   * leaves; until then another of the same id could not be told from them.
   */
  #unanswered: readonly string[] = [];
  #session: Session | null = null;
  #isLeaving = false;

  /** @param stream what the WebSocket writes to */
  constructor(socket: WebSocket, stream: Socket, surroundings: ConnectionSurroundings) {
    this.#socket = socket;
    this.#outlet = new SocketWriter(socket, stream, surroundings.limits);
    this.#surroundings = surroundings;
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
      // What comes until the client has answered the close frame is not carried out any more.
      if (!this.isOpen) return;
      receive(String(data)).catch((error: unknown) => {
        this.#surroundings.log.error({ err: error }, 'A WebSocket message could not be handled');
        this.close(closeCodes.internalError, 'Internal server error');
      });
    });
  }

  send(message: string): Promise<undefined> | undefined {
    if (this.isOpen && this.#outlet.isOverfull) {
      const { bufferedAmount } = this.#socket;
      this.#surroundings.log.warn({ bufferedAmount }, 'A WebSocket was cut because its client does not read');
      this.#socket.terminate();
    }
    // Nothing holds back its sources any more: one that always has a next value would keep us busy with it.
    if (!this.isOpen) this.#endOperations('CLIENT_GONE');
    return this.#outlet.send(message);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Lets the bearer in, until the token expires; false when they have the most connections allowed. */
  open(session: Session): boolean {
    if (session.kind === 'BEARER') {
      const { connections, expiries } = this.#surroundings;
      if (!connections.acquire(bearerKey(session.claims))) return false;
      expiries.add(this, session.claims.expiresAt);
    }
    this.#session = session;
    return true;
  }

  expire(): void {
    this.close(closeCodes.forbidden, 'Token expired');
    this.#endOperations('TOKEN_EXPIRED');
  }

  /** The close frame waits behind what was not read: unless it is read in time, the connection is cut. */
  onSlowConsumer(): void {
    this.#surroundings.log.warn({}, 'A WebSocket was closed because its client does not read');
    this.close(closeCodes.slowConsumer, 'Slow consumer');
    this.#endOperations('SLOW_CONSUMER');
  }

  get operationsUnderWay(): number {
    return this.#operations.size;
  }

  /**
   * Begins an operation whose results go out under this id. While one of the same id, completed by its client,
   * is still being prepared or executed, the protocol could not tell them apart: undefined then, and nothing
   * begins.
   */
  begin(id: string, payload: SubscribePayload, session: Session): RunningOperation | undefined {
    if (this.#unanswered.includes(id)) return undefined;
    this.#unanswered = [...this.#unanswered, id];
    const before = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    const operation: RunningOperation = new RunningOperation('WEBSOCKET', session, (result) =>
      operation.ended === null ? this.send(`${before}${result}}`) : undefined,
    );
    this.#operations.set(payload, operation);
    return operation;
  }

  /** It tells as long as it runs, and is not waited for. */
  streams(id: string, payload: SubscribePayload): void {
    const operation = this.#operations.get(payload);
    if (operation === undefined || operation.isStream) return;
    operation.isStream = true;
    this.#answered(id);
  }

  /** The operation is over; what is left to say about it is sent within this turn of the event loop. */
  settle(id: string, payload: SubscribePayload): void {
    const operation = this.#operations.get(payload);
    if (operation === undefined) return;
    this.#operations.delete(payload);
    operation.end('CLIENT_GONE');
    if (!operation.isStream) this.#answered(id);
  }

  /** Closes with 1001, now or once the requests under way are answered. Streams end without being completed. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#unanswered.length > 0) return;
    this.close(closeCodes.goingAway, 'Going away');
    this.#endOperations('SHUTTING_DOWN');
  }

  /** To be called when the socket has closed. */
  closed(): void {
    if (this.#session?.kind === 'BEARER') {
      const { claims } = this.#session;
      this.#surroundings.connections.release(bearerKey(claims));
      this.#surroundings.expiries.remove(this, claims.expiresAt);
      this.#session = null;
    }
    this.#endOperations('CLIENT_GONE');
  }

  #answered(id: string): void {
    this.#unanswered = this.#unanswered.filter((other) => other !== id);
    if (this.#isLeaving) setImmediate(() => this.leave());
  }

  #endOperations(reason: EndOfOperation): void {
    for (const operation of this.#operations.values()) operation.end(reason);
  }
}
