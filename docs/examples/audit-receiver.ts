/** An endpoint of an audit log: verifies each message, and keeps each entry once, in order. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

const { SECRET = '', PORT = '8080' } = process.env;
const webhook = new Webhook(SECRET);
let last = 0;

const server = createServer(async (request, response) => {
  try {
    const { data } = webhook.verify(
      await text(request),
      request.headers as Record<string, string>,
    ) as Message;
    for (const entry of data.entries.filter(({ position }) => position > last)) {
      process.stdout.write(`${JSON.stringify(entry)}\n`);
      last = entry.position;
    }
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
});

type Message = { data: { entries: { position: number }[] } };

server.listen(Number(PORT), '127.0.0.1');
