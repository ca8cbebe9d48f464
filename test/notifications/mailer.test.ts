import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFolderMailer, createSmtpMailer, type Mail } from '../../src/notifications/mailer.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { startMailServer } from '../support/mail-server.ts';
import { reservePort } from '../support/ports.ts';

const from = { name: 'Latchkey', address: 'support-access@vendor.example' };
const never = new AbortController().signal;
const mail: Mail = {
  id: 'grant.recipient',
  to: { name: 'Grace', address: 'grace@acme.example' },
  date: new Date('2026-11-23T10:16:00Z'),
  subject: 'SUP-1: support access',
  text: 'Hello Grace,\n\nplease decide.\n',
};

describe('through a mail server', () => {
  test('a mail arrives unchanged, in every script', async () => {
    await using server = await startMailServer();
    const text = `Grüße 您好 مرحبا 🔑\n.\n.dot\n${'long '.repeat(300)}\n`;
    const subject = `SUP-1: доступ ${'к данным '.repeat(20)}🔑`;
    const to = { name: 'Gräfin Ærø 😀', address: 'grace@acme.example' };
    await createSmtpMailer({ url: server.url, from }).send({ ...mail, to, subject, text }, never);
    const [received, ...more] = server.received;
    expect(more).toEqual([]);
    expect(received?.to).toEqual(['grace@acme.example']);
    expect(received?.email).toMatchObject({
      from,
      to: [to],
      subject,
      date: '2026-11-23T10:16:00.000Z',
      messageId: '<grant.recipient@vendor.example>',
    });
    expect(received?.email.text?.trimEnd()).toBe(text.trimEnd());
    expect(received?.email.html).toBeUndefined();
    expect(header(received?.raw, 'Auto-Submitted')).toBe('auto-generated');
  });

  test('text that people wrote adds no header and no recipient', async () => {
    await using server = await startMailServer();
    const evil = 'x\r\nBcc: all@example.com\r\n\r\nBody';
    await createSmtpMailer({ url: server.url, from }).send(
      {
        ...mail,
        subject: evil,
        to: { name: `"Grace" <eve@example.com>, ${evil}`, address: mail.to.address },
      },
      never,
    );
    const [received] = server.received;
    expect(received?.to).toEqual([mail.to.address]);
    expect(received?.email.to).toHaveLength(1);
    expect(received?.email.to?.[0]?.address).toBe(mail.to.address);
    expect(received?.email.headers.map(({ key }) => key).filter((key) => /^b?cc$/.test(key))).toEqual([]);
    expect(received?.email.text?.trimEnd()).toBe(mail.text.trimEnd());
  });

  test.each(['grace@acme.example\r\nRCPT TO:<eve@example.com>', 'grace@acme.example>, <eve@example.com'])(
    'an invalid address is refused: %j',
    async (address) => {
      await using server = await startMailServer();
      await createSmtpMailer({ url: server.url, from })
        .send({ ...mail, to: { name: '', address } }, never)
        .catch(() => undefined);
      expect(server.received.flatMap(({ to }) => to)).not.toContain('eve@example.com');
    },
  );

  test('a refusal by the mail server rejects', async () => {
    await using server = await startMailServer({
      onRcptTo: (_, __, answer) => answer(Object.assign(new Error('no such user'), { responseCode: 550 })),
    });
    await expect(createSmtpMailer({ url: server.url, from }).send(mail, never)).rejects.toThrow(
      /no such user/,
    );
  });

  test('a password is never sent over a connection without TLS', async () => {
    const said: string[] = [];
    await using server = await startMailServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ password }, _, answer) => {
        said.push(password ?? '');
        answer(null, { user: 'latchkey' });
      },
    });
    const url = server.url.replace('smtp://', 'smtp://latchkey:hunter2@');
    const failure = createSmtpMailer({ url, from }).send(mail, never);
    await expect(failure).rejects.toThrow(/STARTTLS/);
    await expect(failure).rejects.not.toThrow(/hunter2/);
    expect(said).toEqual([]);
    expect(server.received).toEqual([]);
  });

  test('a port on which nothing listens rejects immediately', async () => {
    const url = `smtp://127.0.0.1:${await reservePort()}`;
    await expect(createSmtpMailer({ url, from }).send(mail, never)).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a mail server that hangs', () => {
  test('before its greeting, or before its last reply, rejects at the deadline', async () => {
    for (const silent of [await startSilentServer(), await startMailServer({ onData: () => undefined })]) {
      await using server = silent;
      const sending = createSmtpMailer({ url: server.url, from, deadline: 300 }).send(mail, never);
      await expect(sending).rejects.toMatchObject({ cause: { name: 'TimeoutError' } });
    }
  });

  test('rejects when the signal aborts, and its connection is closed', async () => {
    await using server = await startSilentServer();
    const cut = new AbortController();
    const sending = createSmtpMailer({ url: server.url, from }).send(mail, cut.signal);
    await server.connected;
    cut.abort();
    await expect(sending).rejects.toThrow();
    await server.closed;
  });
});

describe('as files', () => {
  async function folderMailer() {
    const parent = await mkdtemp(join(tmpdir(), 'latchkey-mail-'));
    onTestFinished(() => rm(parent, { recursive: true, force: true }));
    const folder = join(parent, 'data/mail');
    const lines: string[] = [];
    const logger = createLogger('info', { write: (line) => void lines.push(line) });
    return { folder, lines, mailer: createFolderMailer({ folder, from, logger }) };
  }

  test('a mail is written to a file that mail programs can open, and logged', async () => {
    const { folder, lines, mailer } = await folderMailer();
    await mailer.send(mail, never);
    await mailer.send(mail, never);
    expect(await readdir(folder)).toEqual(['grant.recipient.eml']);
    const email = await PostalMime.parse(await readFile(join(folder, 'grant.recipient.eml')));
    expect(email).toMatchObject({ from, to: [mail.to], subject: mail.subject });
    expect(lines[0]).toMatch(/SMTP_URL/);
    expect(lines[0]).toContain('grant.recipient.eml');
  });

  test('the oldest files are deleted when there are too many', async () => {
    const { folder, mailer } = await folderMailer();
    const name = (number: number) => `grant-${String(number).padStart(4, '0')}`;
    for (let number = 0; number < 203; number += 1) await mailer.send({ ...mail, id: name(number) }, never);
    const files = (await readdir(folder)).sort();
    expect(files).toHaveLength(200);
    expect(files[0]).toBe(`${name(3)}.eml`);
    expect(files.at(-1)).toBe(`${name(202)}.eml`);
  });
});

function header(raw: string | undefined, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\\r$`, 'm').exec(raw ?? '')?.[1];
}

/** A server that accepts connections and never sends anything. */
async function startSilentServer() {
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    connected.resolve();
    socket.on('error', () => undefined);
    socket.on('close', () => closed.resolve());
    socket.resume();
  });
  const port = await reservePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `smtp://127.0.0.1:${port}`,
    connected: connected.promise,
    closed: closed.promise,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
