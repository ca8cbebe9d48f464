/** `npm run watch`: prints what happens to the grants that somebody may hear of, as it happens. */
import { WatchGrantsDocument, type WatchGrantsSubscription } from '../../schema/generated/operations.ts';
import { readArguments } from './arguments.ts';
import { signIn } from './player.ts';
import { runProgram } from './program.ts';

await runProgram(async () => {
  const { url, email } = readArguments();
  const { name, client, email: known } = await signIn(url, email ?? 'erin@vendor.example');
  await using events = client.subscribeWithResume({
    document: WatchGrantsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    giveUpAfterMs: Number.POSITIVE_INFINITY,
    onReconnecting: ({ attempt, reason }) => {
      if (attempt === 1) print(`The connection is lost (${reason}). Trying again until it is back …`);
    },
    onReconnected: ({ awayMs }) => {
      print(`Connected again after ${(awayMs / 1_000).toFixed(1)} s. What was missed comes first.`);
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void events.dispose());
  await events.connected;
  print(`${name} (${known}) is told what happens to grants. Ctrl-C ends it.`);
  for await (const event of events) print(describe(event));
});

/** The latency compares this machine's clock with the gateway's: for gateways on this machine. */
function describe({ type, occurredAt, grant }: WatchGrantsSubscription['grantEvents']): string {
  const latencyMs = Date.now() - Date.parse(occurredAt);
  const { key, summary, site, product } = grant.ticket;
  const why = grant.endReason === null ? '' : ` (${grant.endReason})`;
  return `${occurredAt.slice(11, 23)}  ${type}${why}  ${key} "${summary}", ${product.name} on ${new URL(site.url).host}  told ${latencyMs} ms after it was decided`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
