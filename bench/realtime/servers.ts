/** The servers that are compared, and the publisher of each that delivers events. */
import { openPeerPublisher } from './peers.ts';
import { createBarePublisher } from './publishers/bare.ts';
import { createLatchkeyPublisher } from './publishers/latchkey.ts';
import { committing, type Publisher } from './publishers/publisher.ts';
import type { Setting } from './servers/server.ts';
import type { Opening } from './writing.ts';

/** The bare ones but for the first, `postgraphile` and the second Latchkey answer requests, and deliver no events. */
export const serverNames = [
  ...(['latchkey', 'bare', 'bare-without-token', 'bare-in-one-statement'] as const),
  ...(['mercurius', 'yoga', 'postgraphile', 'latchkey-unsealed'] as const),
];
export type ServerName = (typeof serverNames)[number];

/** Opens the server's publisher: with `mustCommit`, one that commits the events before it publishes them. */
export async function openPublisher({ server, mustCommit, ...setting }: Opening): Promise<Publisher> {
  const publisher = await publisherOf(server, setting);
  return mustCommit && publisher.commit === undefined ? await committing(publisher, setting) : publisher;
}

async function publisherOf(server: ServerName, setting: Setting): Promise<Publisher> {
  if (server === 'latchkey') return await createLatchkeyPublisher(setting);
  if (server === 'bare') return await createBarePublisher(setting);
  return await openPeerPublisher(server, setting);
}

/** The file of a server that delivers events, from this folder. */
export function deliveringServer(server: ServerName): string {
  const isOwn = server === 'latchkey' || server === 'bare';
  return isOwn ? `./servers/${server}.ts` : `../peers/realtime/${server}-server.ts`;
}
