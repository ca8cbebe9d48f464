/** `npm run watch`: prints the grant events that a person receives, as they arrive. */
import { WatchGrantsDocument, type WatchGrantsSubscription } from '../../schema/generated/operations.ts';
import { readArguments } from './arguments.ts';
import { signIn } from './person.ts';
import { runProgram } from './program.ts';

type GrantEvent = WatchGrantsSubscription['grantEvents'];

await runProgram(async () => {
  const { url, email } = readArguments();
  const { name, client, email: known } = await signIn(url, email ?? 'erin@vendor.example');
  await using events = client.subscribeWithResume({
    document: WatchGrantsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    giveUpAfterMs: Number.POSITIVE_INFINITY,
    onReconnecting: ({ attempt, reason }) => {
      if (attempt === 1) print(`The connection is lost (${reason}). Reconnecting …`);
    },
    onReconnected: ({ awayMs }) => {
      print(`Connected again after ${(awayMs / 1_000).toFixed(1)} s. The missed events come first.`);
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void events.dispose());
  await events.started;
  print(`Watching grant events as ${name} (${known}). Ctrl-C ends it.`);
  for await (const { type, occurredAt, grant } of events) {
    if (grant !== null) print(describe(type, occurredAt, grant));
  }
});

/** The latency is right only for a gateway on this machine: it compares two clocks. */
function describe(
  type: GrantEvent['type'],
  occurredAt: string,
  grant: NonNullable<GrantEvent['grant']>,
): string {
  const latencyMs = Date.now() - Date.parse(occurredAt);
  const { key, summary, site, product } = grant.ticket;
  const why = grant.endReason === null ? '' : ` (${grant.endReason})`;
  const about = `${key} "${summary}", ${product.name} on ${new URL(site.url).host}`;
  return `${occurredAt.slice(11, 23)}  ${`${type}${why}`.padEnd(10)}  ${about}  received ${latencyMs} ms after the decision`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
