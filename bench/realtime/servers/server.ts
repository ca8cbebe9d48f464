/**
 * The request handlers of every measured server: to start it, to measure its processor time and memory, and to write
 * events in its own process, as after a mutation.
 */
import { answerRequests } from '../processes.ts';
import { openPublisher } from '../servers.ts';
import { cpuUsed, idleMemory } from '../usage.ts';
import { createWriter } from '../writing.ts';

export type Setting = { redisUrl: string; databaseUrl: string };
/** The URL and the subprotocol with which clients connect. */
export type Started = { url: string; protocol: string };

/** @param openOwnPublisher how the server's own process publishes; by default as another process does */
export function serve(
  start: (setting: Setting) => Promise<Started>,
  openOwnPublisher: typeof openPublisher = openPublisher,
) {
  const handlers = {
    start,
    ...createWriter(openOwnPublisher),
    cpu: cpuUsed,
    memory: idleMemory,
  };
  answerRequests(handlers);
  return handlers;
}

export type ServerHandlers = ReturnType<typeof serve>;
