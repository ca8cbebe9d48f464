/**
 * `npm run approve`: a customer files a ticket, an engineer is assigned, and an admin of the customer approves the
 * engineer's request. Each run files a ticket of its own, so that it can be repeated and changes no other ticket.
 */
import {
  ApproveDataAccessDocument,
  AssignTicketDocument,
  CreateTicketDocument,
  SiteDocument,
} from '../../schema/generated/operations.ts';
import { readArguments, UsageError } from './arguments.ts';
import { type Person, signIn } from './person.ts';
import { runProgram } from './program.ts';

const jack = 'jack@acme.example';

/** The people who may approve, each with a product that they may approve for. */
const productOf: Readonly<Record<string, { site: string; key: string }>> = {
  [jack]: { site: 'acme', key: 'jira' },
  'olivia@acme.example': { site: 'acme', key: 'jira' },
  'ursula@acme.example': { site: 'acme', key: 'jira' },
  'carla@acme.example': { site: 'acme', key: 'confluence' },
  'tess@acme.example': { site: 'acme', key: 'confluence' },
  'sid@acme.example': { site: 'acme-labs', key: 'jira' },
  'tom@acme.example': { site: 'acme-labs', key: 'jira' },
  'vera@acme.example': { site: 'acme-vault', key: 'jira' },
  'gus@globex.example': { site: 'globex', key: 'jira' },
};

await runProgram(async () => {
  const { url, email } = readArguments();
  const approver = await signIn(url, email ?? jack);
  const { ticketId, engineer } = await fileTicket(url, approver);
  const sentAt = performance.now();
  const answer = await approver.attempt(ApproveDataAccessDocument, {
    ...{ ticketId, path: 'SUPPORT_PORTAL', idempotencyKey: crypto.randomUUID() },
  });
  const took = (performance.now() - sentAt).toFixed(0);
  if (answer.__typename !== 'Grant') {
    print(`Refused: ${answer.message}`);
    process.exitCode = 1;
    return;
  }
  print(`${approver.name} (${approver.email}) approves. The answer took ${took} ms.`);
  print(
    answer.state === 'ACTIVE'
      ? `${engineer.name} has access from now on.`
      : 'Nobody has access before a Guard admin approves as well.',
  );
});

/** Files a ticket that this person may approve, and assigns Erin to it. */
async function fileTicket(url: string, approver: Person): Promise<{ ticketId: string; engineer: Person }> {
  const about = productOf[approver.email];
  if (about === undefined) {
    throw new UsageError(
      `${approver.name} may not approve. These people may: ${Object.keys(productOf).join(', ')}.`,
    );
  }
  const [reporter, engineer, ticketing] = await Promise.all([
    signIn(url, about.site === 'globex' ? 'gil@globex.example' : 'rita@acme.example'),
    signIn(url, 'erin@vendor.example'),
    signIn(url, 'ticketing@vendor.example'),
  ]);
  const host = `${about.site}.example`;
  const { site } = await reporter.client.execute(SiteDocument, { url: `https://${host}` });
  const product = site?.products.edges.map(({ node }) => node).find(({ key }) => key === about.key);
  if (product === undefined) throw new UsageError(`${reporter.name} finds no ${about.key} on ${host}.`);
  const ticket = await reporter.attempt(CreateTicketDocument, {
    ...{ productId: product.id, summary: 'Every page loads slowly', grantDataAccess: false },
  });
  if (ticket.__typename !== 'Ticket') throw new UsageError(ticket.message);
  const assigned = await ticketing.attempt(AssignTicketDocument, {
    ...{ ticketId: ticket.id, engineerId: engineer.id },
  });
  if (assigned.__typename !== 'Ticket') throw new UsageError(assigned.message);
  print(
    `${reporter.name} files ${ticket.key} about ${product.name} on ${host}. ${engineer.name} is assigned.`,
  );
  return { ticketId: ticket.id, engineer };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
