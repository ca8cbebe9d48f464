/** The request handlers of every measured server. */
import type { JSONWebKeySet } from 'jose';
import { answerRequests } from '../../realtime/processes.ts';
import { cpuUsed, idleMemory } from '../../realtime/usage.ts';

export type Setting = {
  databaseUrl: string;
  /** The public keys that tokens are signed with. */
  jwks: JSONWebKeySet;
  /** What their claims must be. */
  tokens: { issuer: string; audience: string };
};
/** Where the server listens. */
export type Started = { url: string };

export function serve(start: (setting: Setting) => Promise<Started>) {
  const handlers = { start, cpu: cpuUsed, memory: idleMemory };
  answerRequests(handlers);
  return handlers;
}

export type ServerHandlers = ReturnType<typeof serve>;
