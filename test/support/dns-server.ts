import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A DNS server on 127.0.0.1 that knows these names, each with one IPv4 address. */
export interface DnsServer {
  readonly port: number;
  readonly addresses: Map<string, string>;
  dispose(): Promise<void>;
}

const typeA = 1;
/** Flags of an answer, and the code of a name that does not exist. */
const answered = 0x8180;
const noSuchName = 3;

export async function startDnsServer(names: Readonly<Record<string, string>>): Promise<DnsServer> {
  const addresses = new Map(Object.entries(names));
  const socket = createSocket('udp4');
  socket.on('message', (query, { address, port }) => socket.send(answerTo(query, addresses), port, address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    addresses,
    async dispose() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** RFC 1035, for a query with one question. */
function answerTo(query: Buffer, addresses: ReadonlyMap<string, string>): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const address = addresses.get(labels.join('.').toLowerCase());
  const isAnswered = address !== undefined && query.readUInt16BE(at + 1) === typeA;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(answered | (address === undefined ? noSuchName : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAnswered ? 1 : 0, 6);
  if (!isAnswered) return Buffer.concat([header, question]);
  // The name in the question, of type A and class IN, for a minute: four bytes.
  const record = Buffer.from([
    0xc0,
    12,
    0,
    typeA,
    0,
    1,
    0,
    0,
    0,
    60,
    0,
    4,
    ...address.split('.').map(Number),
  ]);
  return Buffer.concat([header, question, record]);
}
