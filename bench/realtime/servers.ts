/** The servers that are compared, and the publisher of each. */
import { createBarePublisher } from './publishers/bare.ts';
import { createLatchkeyPublisher } from './publishers/latchkey.ts';
import { createMercuriusPublisher } from './publishers/mercurius.ts';
import { committing, type Publisher } from './publishers/publisher.ts';
import { createYogaPublisher } from './publishers/yoga.ts';
import type { Setting } from './servers/server.ts';
import type { Opening } from './writing.ts';

export const serverNames = ['latchkey', 'bare', 'mercurius', 'yoga'] as const;
export type ServerName = (typeof serverNames)[number];

const publishers: Record<ServerName, (setting: Setting) => Promise<Publisher>> = {
  latchkey: createLatchkeyPublisher,
  bare: createBarePublisher,
  mercurius: createMercuriusPublisher,
  yoga: createYogaPublisher,
};

/** Opens the server's publisher: with `mustCommit`, one that commits the events before it publishes them. */
export async function openPublisher({ server, mustCommit, ...setting }: Opening): Promise<Publisher> {
  const publisher = await publishers[server](setting);
  return mustCommit && publisher.commit === undefined ? await committing(publisher, setting) : publisher;
}
