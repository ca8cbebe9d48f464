import type { WebSocket } from 'ws';

/**
 * Lets a WebSocket receive messages of so many bytes. The ws package takes the limit of all sockets from their server, and
 * keeps it in the receiver of each, which it does not show.
 */
export function acceptMessagesOf(socket: WebSocket, bytes: number): void {
  const { _receiver: receiver } = socket as { _receiver?: { _maxPayload?: number } };
  if (receiver?._maxPayload === undefined)
    throw new Error('The receiver of a WebSocket has no limit to change');
  receiver._maxPayload = bytes;
}
