/** The servers that are compared, and how events are given to each. */
import { createBarePublisher } from './publishers/bare.ts';
import { createLatchkeyPublisher } from './publishers/latchkey.ts';
import type { Publisher } from './publishers/publisher.ts';
import type { Setting } from './servers/server.ts';

export const serverNames = ['latchkey', 'bare'] as const;
export type ServerName = (typeof serverNames)[number];

export const publishers: Record<ServerName, (setting: Setting) => Promise<Publisher>> = {
  latchkey: createLatchkeyPublisher,
  bare: createBarePublisher,
};
