/** The servers that Latchkey is compared with have packages of their own, which only the benchmarks install. */
import { fileURLToPath } from 'node:url';
import type { Publisher } from './publishers/publisher.ts';
import type { Setting } from './servers/server.ts';

export const peersFolder = fileURLToPath(new URL('../peers', import.meta.url));

/** Opens the publisher of a peer. The file is named at run time, because its packages may not be installed. */
export async function openPeerPublisher(name: string, setting: Setting): Promise<Publisher> {
  const { createPublisher } = (await import(`../peers/realtime/${name}-publisher.ts`)) as {
    createPublisher(setting: Setting): Promise<Publisher>;
  };
  return await createPublisher(setting);
}
