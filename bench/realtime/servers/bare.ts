/** The minimal server: forwards Redis channels to WebSockets, without authorization or resumption. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { type WebSocket, WebSocketServer } from 'ws';
import { serve } from './server.ts';

serve(async ({ redisUrl }) => {
  const socketsByTopic = new Map<string, Set<WebSocket>>();
  const redis = new Redis(redisUrl);
  redis.on('message', (topic: string, text: string) => {
    // All recipients share one buffer.
    const data = Buffer.from(text);
    for (const socket of socketsByTopic.get(topic) ?? []) socket.send(data, { binary: false });
  });

  async function join(topic: string, socket: WebSocket): Promise<void> {
    const members = socketsByTopic.get(topic);
    if (members !== undefined) members.add(socket);
    else {
      socketsByTopic.set(topic, new Set([socket]));
      await redis.subscribe(topic);
    }
    socket.on('close', () => {
      const left = socketsByTopic.get(topic);
      left?.delete(socket);
      if (left?.size !== 0) return;
      socketsByTopic.delete(topic);
      void redis.unsubscribe(topic);
    });
    socket.send('{"type":"connection_ack"}');
  }

  const http = createServer();
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.once('message', (topic) => void join(String(topic), socket));
  });
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, protocol: 'graphql-transport-ws' };
});
