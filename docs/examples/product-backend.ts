/** A product's backend that asks before each read of a support engineer: `node docs/examples/product-backend.ts`. */
import { createServer } from 'node:http';

const { LATCHKEY_URL, LATCHKEY_TOKEN, PORT } = process.env;
const workItems = new Map([['ACME-1', 'The board takes a minute to load.']]);

/** Whether the engineer may read the work item for the ticket, at this moment. No answer is a no. */
async function mayRead(engineer: unknown, ticket: unknown, id: string): Promise<boolean> {
  const question = {
    subject: { type: 'support_engineer', id: engineer },
    action: { name: 'work_item.read' },
    resource: { type: 'work_item', id, properties: { site: 'https://acme.example', product: 'jira' } },
    context: { ticket },
  };
  try {
    const response = await fetch(`${LATCHKEY_URL}/access/v1/evaluation`, {
      method: 'POST',
      headers: { authorization: `Bearer ${LATCHKEY_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(5_000),
    });
    return response.ok && ((await response.json()) as { decision: unknown }).decision === true;
  } catch {
    return false;
  }
}

createServer(async ({ url, headers }, response) => {
  // The sign-in of your support engineers comes before this, and tells who they are.
  const id = /^\/work-items\/([A-Z]+-\d+)$/.exec(url ?? '')?.[1] ?? '';
  const allowed = await mayRead(headers['x-engineer'], headers['x-support-ticket'], id);
  response.writeHead(allowed ? 200 : 403).end(allowed ? workItems.get(id) : 'Not allowed.');
}).listen(Number(PORT), '127.0.0.1', () => process.stdout.write(`Listening on port ${PORT}.\n`));
