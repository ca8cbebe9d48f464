/** One HTTP connection that does as little as possible for each request, so that the server is what is measured. */
import { connect } from 'node:net';

export type Connection = {
  /** Sends a whole request and resolves to the status and the body of the response. One request at a time. */
  send(request: Buffer): Promise<{ status: number; body: string }>;
  close(): void;
};

export async function openConnection(url: URL): Promise<Connection> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  let received = '';
  let waiting: PromiseWithResolvers<{ status: number; body: string }> | undefined;
  socket.setEncoding('latin1');
  socket.on('data', (text) => {
    received += String(text);
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const [, length] = /^content-length: (\d+)\r?$/im.exec(received.slice(0, end)) ?? [];
    const body = received.slice(end + 4);
    // Without a length it comes in chunks, of which the last one is empty.
    if (length === undefined ? !body.endsWith('\r\n0\r\n\r\n') : body.length < Number(length)) return;
    const status = Number(received.slice(9, 12));
    received = '';
    waiting?.resolve({ status, body });
  });
  const lost = (): void => waiting?.reject(new Error('The server closed the connection'));
  socket.on('error', lost);
  socket.on('close', lost);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return {
    send(request) {
      if (socket.destroyed) return Promise.reject(new Error('The server has closed the connection'));
      waiting = Promise.withResolvers();
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}

/** The bytes of a request that posts JSON. */
export function postOf(url: URL, token: string, body: object): Buffer {
  const text = JSON.stringify(body);
  return Buffer.from(
    `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
