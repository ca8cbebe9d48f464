import {
  ApproveDataAccessDocument,
  CloseTicketDocument,
  ReopenTicketDocument,
  RequestDataAccessDocument,
  TicketDocument,
} from '../../../schema/generated/operations.ts';
import { grantorsOf, latency, obstaclesOf, printEligibility, timed } from '../report.ts';
import type { Stage } from '../stage.ts';

/** The life of a grant: requested, refused for the wrong admin, approved by the right one, revoked by closing. */
export async function untickedTicket(stage: Stage): Promise<string> {
  const { people, timeline, expect, inbox } = stage;
  const { rita, erin, sam, carla, penny, jack, gus } = people;
  timeline.chapter('A ticket without consent waits for the right admin');

  const ticket = await stage.file(rita, { site: 'acme', summary: 'Boards are slow since the update' });
  timeline.line('Rita', `files ${ticket.key} about Jira on acme.example, without the consent box`);
  expect.equal('access is requested, and waits', statesOf(ticket), ['PENDING_APPROVAL']);
  expect.equal('she may not grant it herself', obstaclesOf(ticket.accessEligibility), ['NO_MATCHING_ROLE']);
  expect.equal('she sees who may', grantorsOf(ticket.accessEligibility), [
    'jack@acme.example',
    'olivia@acme.example',
    'ursula@acme.example',
  ]);
  await stage.assign(ticket.id, erin);
  const { event } = await inbox.erin.receive('REASSIGNED', ticket.id);
  timeline.line('Erin', `is assigned, and receives ${event.type}`);
  expect.refused(
    'asking again is refused: there is a request',
    await erin.attempt(RequestDataAccessDocument, { ticketId: ticket.id }),
    'ALREADY_REQUESTED',
  );
  const seen = await erin.client.execute(TicketDocument, { key: ticket.key });
  const eligibility = seen.ticket?.accessEligibility;
  expect.equal(
    'she sees which roles may grant',
    [...new Set(eligibility?.requiredRoles.map(({ role }) => role))],
    ['ORGANIZATION_ADMIN', 'USER_ACCESS_ADMIN', 'PRODUCT_ADMIN', 'BILLING_ADMIN', 'TECHNICAL_CONTACT'],
  );
  expect.equal('but not who has them', eligibility?.eligibleGrantors, null);
  for (const stranger of [sam, gus]) {
    const { ticket: unseen } = await stranger.client.execute(TicketDocument, { key: ticket.key });
    expect.equal(`${stranger.name} (${stranger.email}) does not see the ticket`, unseen, null);
  }

  timeline.line('Carla', 'is product admin of Confluence, and tries to approve');
  const refused = expect.refused(
    'she is refused',
    await carla.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
    'NOT_ELIGIBLE',
  );
  if (refused.__typename === 'NotEligibleError') {
    printEligibility(timeline, refused.eligibility);
    expect.equal('for the wrong product', obstaclesOf(refused.eligibility), ['WRONG_PRODUCT']);
  }
  timeline.line('Penny', 'is product admin of Jira by a role that is not synced yet, and tries to approve');
  const unsynced = expect.refused(
    'she is refused',
    await penny.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
    'NOT_ELIGIBLE',
  );
  if (unsynced.__typename === 'NotEligibleError') {
    expect.equal('for a role that does not count yet', obstaclesOf(unsynced.eligibility), [
      'ROLE_NOT_SYNCED',
    ]);
  }

  timeline.line('Jack', 'is product admin of Jira, and approves');
  const approval = await timed(() => jack.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }));
  const grant = expect.done('Jack may approve', approval.result);
  const activated = await inbox.erin.receive('ACTIVATED', ticket.id);
  timeline.line('Erin', `receives ACTIVATED, ${latency(activated, approval)}`);
  expect.equal(
    'she has access, by his decision',
    [grant.state, grant.engineer?.email, grant.decisions.map(({ decidedBy }) => decidedBy.email).join()],
    ['ACTIVE', erin.email, jack.email],
  );

  const closing = await timed(() => rita.attempt(CloseTicketDocument, { ticketId: ticket.id }));
  expect.done('the reporter may close', closing.result);
  const revoked = await inbox.erin.receive('REVOKED', ticket.id);
  timeline.line('Rita', 'closes the ticket');
  timeline.line('Erin', `receives REVOKED, ${latency(revoked, closing)}`);
  expect.equal('because the ticket closed', revoked.event.grant.endReason, 'TICKET_CLOSED');
  expect.refused(
    'a closed ticket accepts no approval',
    await jack.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
    'TICKET_CLOSED',
  );

  timeline.line('Rita', 'reopens it');
  expect.done('the reporter may reopen', await rita.attempt(ReopenTicketDocument, { ticketId: ticket.id }));
  const reopened = await jack.client.execute(TicketDocument, { key: ticket.key });
  expect.equal('the access does not come back', reopened.ticket && statesOf(reopened.ticket), ['REVOKED']);
  const again = expect.done(
    'the engineer may ask again',
    await erin.attempt(RequestDataAccessDocument, {
      ...{ ticketId: ticket.id, justification: 'It is slow again.' },
    }),
  );
  timeline.line('Erin', 'asks again');
  expect.equal('it waits for the customer', again.state, 'PENDING_APPROVAL');
  expect.done(
    'the reporter may close again',
    await rita.attempt(CloseTicketDocument, { ticketId: ticket.id }),
  );
  const withdrawn = await inbox.erin.receive('WITHDRAWN', ticket.id);
  timeline.line('Rita', 'closes it again');
  expect.equal('the request ended as well', withdrawn.event.grant.endReason, 'TICKET_CLOSED');
  return ticket.id;
}

function statesOf(ticket: {
  readonly grants: { readonly edges: readonly { readonly node: { readonly state: string } }[] };
}): string[] {
  return ticket.grants.edges.map(({ node }) => node.state);
}
