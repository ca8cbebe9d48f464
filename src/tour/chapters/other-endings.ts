import {
  ApproveDataAccessDocument,
  DenyDataAccessDocument,
  ReleaseDataAccessDocument,
  RequestDataAccessDocument,
  TicketDocument,
  WithdrawDataAccessRequestDocument,
} from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';

/** The other ways for a grant to end, and a change of engineers, on a site with original user management. */
export async function otherEndings(stage: Stage): Promise<void> {
  const { people, timeline, expect, inbox } = stage;
  const { rita, erin, sam, tom, sid } = people;
  timeline.chapter('Deny, withdraw, hand over, release');

  const ticket = await stage.file(rita, { site: 'acme-labs', summary: 'Webhooks arrive late' });
  const { id: ticketId } = ticket;
  timeline.line('Rita', `files ${ticket.key} about Jira on acme-labs.example`);
  await stage.assign(ticketId, erin);

  timeline.line('Tom', 'is a trusted user there, and denies');
  const denied = expect.done(
    'Tom may deny',
    await tom.attempt(DenyDataAccessDocument, {
      grantId: ticket.grants.edges[0]?.node.id ?? '',
      reason: 'Please try with a test project first.',
    }),
  );
  expect.equal('it is over', [denied.state, denied.endReason], ['DENIED', 'DENIED_BY_CUSTOMER']);
  await inbox.erin.receive('DENIED', ticketId);

  timeline.line('Erin', 'asks again, and withdraws the request');
  const asked = expect.done(
    'Erin may ask again',
    await erin.attempt(RequestDataAccessDocument, { ticketId }),
  );
  const withdrawn = expect.done(
    'Erin may withdraw',
    await erin.attempt(WithdrawDataAccessRequestDocument, { grantId: asked.id }),
  );
  expect.equal('it is over', [withdrawn.state, withdrawn.endReason], ['WITHDRAWN', 'WITHDRAWN_BY_ENGINEER']);

  timeline.line('Sid', 'is site admin there, and approves without a request');
  const given = expect.done(
    'Sid may approve on the ticket',
    await sid.attempt(ApproveDataAccessDocument, { ticketId, path: 'ADMIN_CONSOLE' }),
  );
  expect.equal('access is given', [given.state, given.path], ['ACTIVE', 'ADMIN_CONSOLE']);
  await inbox.erin.receive('ACTIVATED', ticketId);

  timeline.line('Erin', 'is replaced by Sam');
  await stage.assign(ticketId, sam);
  const received = await inbox.sam.receive('REASSIGNED', ticketId);
  await inbox.erin.receive('REASSIGNED', ticketId);
  expect.equal(
    'Sam has access now',
    [received.event.grant.state, received.event.grant.engineer?.email],
    ['ACTIVE', sam.email],
  );
  const { ticket: unseen } = await erin.client.execute(TicketDocument, { key: ticket.key });
  expect.equal('Erin no longer sees the ticket', unseen, null);

  timeline.line('Sam', 'has finished, and releases the access');
  const released = expect.done(
    'Sam may release',
    await sam.attempt(ReleaseDataAccessDocument, { grantId: given.id }),
  );
  expect.equal('it is over', [released.state, released.endReason], ['ENDED', 'RELEASED_BY_ENGINEER']);
  await inbox.sam.receive('ENDED', ticketId);
}
