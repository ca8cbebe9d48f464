/** The servers that are compared, and the publisher of each. */
import { createBarePublisher } from './publishers/bare.ts';
import { createLatchkeyPublisher } from './publishers/latchkey.ts';
import { createMercuriusPublisher } from './publishers/mercurius.ts';
import type { Publisher } from './publishers/publisher.ts';
import { createYogaPublisher } from './publishers/yoga.ts';
import type { Setting } from './servers/server.ts';

export const serverNames = ['latchkey', 'bare', 'mercurius', 'yoga'] as const;
export type ServerName = (typeof serverNames)[number];

export const publishers: Record<ServerName, (setting: Setting) => Promise<Publisher>> = {
  latchkey: createLatchkeyPublisher,
  bare: createBarePublisher,
  mercurius: createMercuriusPublisher,
  yoga: createYogaPublisher,
};
