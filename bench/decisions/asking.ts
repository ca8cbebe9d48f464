/** Asks a measured server as fast as it answers. */
import type { Process } from '../realtime/processes.ts';
import type { AskerHandlers, Asking } from './asker.ts';

const warmUpMs = 3_000;
const measuredMs = 6_000;
/** How long a process may take to start, or to say what it has measured, in milliseconds. */
export const patience = 60_000;

/** How the backend asks one by one, over 32 connections. */
export const oneByOne = { connections: 32, batch: 1 } as const;
export const singlePath = '/access/v1/evaluation';

/** Decisions a second. */
export async function flood(asker: Process<AskerHandlers>, asking: Asking): Promise<number> {
  await asker.ask('open', asking, patience);
  await asker.ask('flood', warmUpMs, patience);
  const { decisions: answered, milliseconds } = await asker.ask('flood', measuredMs, patience);
  return (answered * 1_000) / milliseconds;
}

/** A token of the gateway's development issuer. */
export async function tokenOf(url: string, email: string): Promise<string> {
  const response = await fetch(`${url}/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email }),
  });
  if (!response.ok) throw new Error(`No token for ${email}: ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}
