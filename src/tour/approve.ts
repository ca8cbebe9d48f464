/** `npm run approve`: a customer approves the first request that waits for them. */
import {
  ApproveDataAccessDocument,
  AssignTicketDocument,
  CreateTicketDocument,
  RequestsToDecideDocument,
  SiteDocument,
} from '../../schema/generated/operations.ts';
import { readArguments } from './arguments.ts';
import { type Player, signIn } from './player.ts';
import { runProgram } from './program.ts';

/** Who approves unless somebody else is named, and for whom there is always something to approve. */
const jack = 'jack@acme.example';

await runProgram(async () => {
  const { url, email } = readArguments();
  const approver = await signIn(url, email ?? jack);
  const request = (await findRequest(approver)) ?? (await fileTicket(url, approver));
  if (request === null) {
    print(`No request waits for ${approver.name} to decide. Close a ticket and have access asked for again.`);
    return;
  }
  const { ticket, engineer } = request;
  const about = `${ticket.key} "${ticket.summary}", ${ticket.product.name} on ${new URL(ticket.site.url).host}`;
  print(`${approver.name} (${approver.email}) approves access on ${about} …`);
  const sentAt = performance.now();
  const answer = await approver.attempt(ApproveDataAccessDocument, {
    ...{ ticketId: ticket.id, path: 'SUPPORT_PORTAL' },
    idempotencyKey: crypto.randomUUID(),
  });
  const took = (performance.now() - sentAt).toFixed(0);
  if (answer.__typename !== 'Grant') {
    print(`Refused: ${answer.message}`);
    process.exitCode = 1;
    return;
  }
  const whose = engineer === null ? 'Whoever is assigned has' : `${engineer.name} has`;
  print(
    answer.state === 'ACTIVE'
      ? `${whose} access from now on. The answer took ${took} ms.`
      : `Approved; a Guard admin decides now. The answer took ${took} ms.`,
  );
});

/** The oldest request that waits for this person. */
async function findRequest({ client }: Player) {
  const { grants } = await client.execute(RequestsToDecideDocument, {});
  const waiting = grants.edges.map(({ node }) => node).reverse();
  return waiting.find(({ ticket }) => ticket.accessEligibility.allowed) ?? null;
}

/** The reporter files a ticket about what Jack administers, and Erin is assigned. */
async function fileTicket(url: string, approver: Player) {
  if (approver.email !== jack) return null;
  const reporter = await signIn(url, 'rita@acme.example');
  const { site } = await reporter.client.execute(SiteDocument, { url: 'https://acme.example' });
  const jira = site?.products.edges.map(({ node }) => node).find(({ key }) => key === 'jira');
  if (jira === undefined) return null;
  const ticket = await reporter.attempt(CreateTicketDocument, {
    ...{ productId: jira.id, summary: 'A board has lost its columns', grantDataAccess: false },
  });
  if (ticket.__typename !== 'Ticket') throw new Error(ticket.message);
  const [engineer, ticketing] = await Promise.all([
    signIn(url, 'erin@vendor.example'),
    signIn(url, 'ticketing@vendor.example'),
  ]);
  await ticketing.attempt(AssignTicketDocument, { ticketId: ticket.id, engineerId: engineer.id });
  print(`Nothing waits, so ${reporter.name} files ${ticket.key}, and ${engineer.name} is assigned.`);
  return await findRequest(approver);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
