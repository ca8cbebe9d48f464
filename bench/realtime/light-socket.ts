/**
 * A WebSocket client that uses almost no processor time, so that a thousand clients do not slow down the measured
 * server: one shared read buffer, no event emitters, no copies, text passed on as bytes.
 */
import { connect } from 'node:net';

export type LightSocketOptions = {
  url: URL;
  /** The subprotocol to ask for. */
  protocol: string;
  onOpen(): void;
  /** Called with each text message. The bytes are valid only until it returns. */
  onText(buffer: Buffer, start: number, end: number): void;
  /** Called once, when the connection is closed, with the reason if it is known. */
  onClosed(reason: string): void;
};

export type LightSocket = { send(text: string): void; destroy(): void };

const readBuffer = Buffer.allocUnsafe(256 * 1024);
const opcodes = { text: 0x81, close: 0x88, ping: 0x89, pong: 0x8a } as const;
const nothing = Buffer.alloc(0);

export function openLightSocket({ url, protocol, ...listener }: LightSocketOptions): LightSocket {
  let isOpen = false;
  let isClosed = false;
  /** The beginning of an incomplete frame or of an incomplete response to the upgrade. */
  let partial = nothing;
  const closed = (reason: string): void => {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    listener.onClosed(reason);
  };

  const socket = connect({
    host: url.hostname,
    port: Number(url.port),
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length) => {
        if (partial.length === 0) keepFrom(readBuffer, read(readBuffer, length), length);
        else {
          const bytes = Buffer.concat([partial, readBuffer.subarray(0, length)]);
          keepFrom(bytes, read(bytes, bytes.length), bytes.length);
        }
        return !isClosed;
      },
    },
  });
  socket.on('error', (error) => closed(error.message));
  socket.on('close', () => closed('cut'));
  socket.write(
    `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGF0Y2hrZXktYmVuY2gtMQ==\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );

  function read(bytes: Buffer, length: number): number {
    return isOpen ? readFrames(bytes, 0, length) : readUpgrade(bytes, length);
  }

  function keepFrom(bytes: Buffer, start: number, end: number): void {
    partial = start === end ? nothing : Buffer.from(bytes.subarray(start, end));
  }

  function readUpgrade(bytes: Buffer, length: number): number {
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1 || end + 4 > length) return 0;
    const status = bytes.toString('latin1', 0, bytes.indexOf('\r\n'));
    if (!status.startsWith('HTTP/1.1 101')) {
      closed(status);
      return length;
    }
    isOpen = true;
    listener.onOpen();
    return readFrames(bytes, end + 4, length);
  }

  /** Reads every complete frame; returns the offset of the first incomplete one. */
  function readFrames(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (to - at >= 2 && !isClosed) {
      const short = bytes[at + 1] ?? 0;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (to - at < head) break;
      const size =
        head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      const end = at + head + size;
      if (end > to) break;
      readFrame(bytes, bytes[at] ?? 0, at + head, end);
      at = end;
    }
    return at;
  }

  function readFrame(bytes: Buffer, opcode: number, start: number, end: number): void {
    if (opcode === opcodes.text) listener.onText(bytes, start, end);
    else if (opcode === opcodes.ping) write(opcodes.pong, bytes.subarray(start, end));
    else if (opcode === opcodes.close)
      closed(`closed: ${bytes.readUInt16BE(start)} ${bytes.toString('utf8', start + 2, end)}`);
    else closed(`sent a frame of kind ${opcode}, which this client does not read`);
  }

  /** Masks with zeros, which leaves the payload unchanged. */
  function write(opcode: number, payload: Buffer): void {
    const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
    head[0] = opcode;
    if (payload.length < 126) head[1] = 0x80 | payload.length;
    else {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(payload.length, 2);
    }
    socket.write(Buffer.concat([head, payload]));
  }

  return { send: (text) => write(opcodes.text, Buffer.from(text)), destroy: () => closed('left') };
}
