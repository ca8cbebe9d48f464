import {
  ApproveDataAccessDocument,
  DenyDataAccessDocument,
  ReleaseDataAccessDocument,
  RequestDataAccessDocument,
  TicketDocument,
  WithdrawDataAccessRequestDocument,
} from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';

/** Denied, withdrawn, released, handed over: on a site that manages its users the original way. */
export async function otherEndings(stage: Stage): Promise<void> {
  const { people, timeline, expect, hearing } = stage;
  const { rita, erin, sam, tom, sid } = people;
  timeline.chapter('Every other way: deny, withdraw, release, hand over');

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
  await hearing.erin.hear('DENIED', ticketId);

  timeline.line('Erin', 'asks again, and takes it back');
  const asked = expect.done(
    'Erin may ask again',
    await erin.attempt(RequestDataAccessDocument, { ticketId }),
  );
  const withdrawn = expect.done(
    'Erin may withdraw',
    await erin.attempt(WithdrawDataAccessRequestDocument, { grantId: asked.id }),
  );
  expect.equal('it is over', [withdrawn.state, withdrawn.endReason], ['WITHDRAWN', 'WITHDRAWN_BY_ENGINEER']);

  timeline.line('Sid', 'is site admin there, and approves though nothing is asked for');
  const given = expect.done(
    'Sid may approve on a ticket',
    await sid.attempt(ApproveDataAccessDocument, { ticketId, path: 'ADMIN_CONSOLE' }),
  );
  expect.equal('access is given', [given.state, given.path], ['ACTIVE', 'ADMIN_CONSOLE']);
  await hearing.erin.hear('ACTIVATED', ticketId);

  timeline.line('Erin', 'hands the ticket over to Sam');
  await stage.assign(ticketId, sam);
  const received = await hearing.sam.hear('REASSIGNED', ticketId);
  await hearing.erin.hear('REASSIGNED', ticketId);
  expect.equal(
    'Sam has the access now',
    [received.event.grant.state, received.event.grant.engineer?.email],
    ['ACTIVE', sam.email],
  );
  const { ticket: unseen } = await erin.client.execute(TicketDocument, { key: ticket.key });
  expect.equal('and Erin sees the ticket no more', unseen, null);

  timeline.line('Sam', 'is done, and releases it');
  const released = expect.done(
    'Sam may release',
    await sam.attempt(ReleaseDataAccessDocument, { grantId: given.id }),
  );
  expect.equal('it is over', [released.state, released.endReason], ['ENDED', 'RELEASED_BY_ENGINEER']);
  await hearing.sam.hear('ENDED', ticketId);
}
