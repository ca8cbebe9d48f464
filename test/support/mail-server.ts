import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { reservePort } from './ports.ts';

/** An accepted mail: its envelope, its raw text, and the parsed message. */
export type ReceivedMail = { to: string[]; raw: string; email: Email };

export type MailServer = {
  readonly url: string;
  readonly port: number;
  /** The accepted mails so far, in order. */
  readonly received: readonly ReceivedMail[];
  /** Resolves as soon as this many mails were accepted since the start. */
  accepted(count: number): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Starts a mail server without TLS. With `port`, it starts at the address of a server that was stopped. */
export async function startMailServer(
  options: SMTPServerOptions & { port?: number } = {},
): Promise<MailServer> {
  const { port = await reservePort(), ...own } = options;
  const received: ReceivedMail[] = [];
  const waiting = new Set<{ count: number; resolve: () => void }>();
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 1,
    onData(stream, session, answer) {
      void accept(
        stream,
        session.envelope.rcptTo.map(({ address }) => address),
      ).then(
        () => answer(),
        // The client disconnected before the end: nothing was accepted.
        (error: Error) => answer(error),
      );
    },
    ...own,
  });
  // Without a listener, a client that disconnects would end the process.
  server.on('error', () => undefined);

  async function accept(stream: AsyncIterable<Uint8Array>, to: string[]): Promise<void> {
    const raw = await buffer(stream);
    received.push({ to, raw: raw.toString('latin1'), email: await PostalMime.parse(raw) });
    for (const waiter of waiting) if (received.length >= waiter.count) waiter.resolve();
  }

  const listener = server.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= new Promise<void>((resolve) => server.close(resolve));
    return stopping;
  };
  return {
    url: `smtp://127.0.0.1:${port}`,
    port,
    received,
    accepted: (count) =>
      new Promise((resolve) => {
        waiting.add({ count, resolve });
        if (received.length >= count) resolve();
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
