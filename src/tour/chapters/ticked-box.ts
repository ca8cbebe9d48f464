import { CloseTicketDocument, RevokeDataAccessDocument } from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';
import { grantorsOf, obstaclesOf, tellEligibility } from '../words.ts';

/** Consent at filing: worth what the reporter's role is worth. */
export async function tickedBox(stage: Stage): Promise<void> {
  const { people, timeline, expect, hearing } = stage;
  const { rita, erin, jack } = people;
  timeline.chapter('The consent box');

  const without = await stage.file(rita, { site: 'acme', summary: 'Labels vanish', ticked: true });
  timeline.line('Rita', `holds no role, and files ${without.key} with the box ticked`);
  expect.equal(
    'the ticket stands, the request waits',
    without.grants.edges.map(({ node }) => node.state),
    ['PENDING_APPROVAL'],
  );
  tellEligibility(timeline, without.accessEligibility);
  expect.equal('the answer says why', obstaclesOf(without.accessEligibility), ['NO_MATCHING_ROLE']);
  expect.equal('and names who may', grantorsOf(without.accessEligibility).includes(jack.email), true);

  const withRole = await stage.file(jack, { site: 'acme', summary: 'Sprints do not start', ticked: true });
  timeline.line('Jack', `is product admin of Jira, and files ${withRole.key} with the box ticked`);
  const [grant] = withRole.grants.edges.map(({ node }) => node);
  expect.equal(
    'access is given at once, though nobody is assigned yet',
    [grant?.state, grant?.path, grant?.engineer ?? null],
    ['ACTIVE', 'TICKET_CREATION', null],
  );
  await stage.assign(withRole.id, erin);
  const { event } = await hearing.erin.hear('REASSIGNED', withRole.id);
  timeline.line('Erin', 'is assigned, and receives it');
  expect.equal('she has access', [event.grant.state, event.grant.engineer?.email], ['ACTIVE', erin.email]);

  timeline.line('Jack', 'revokes it');
  const revoked = expect.done(
    'who granted may revoke',
    await jack.attempt(RevokeDataAccessDocument, {
      grantId: grant?.id ?? '',
      reason: 'Solved by restarting.',
    }),
  );
  expect.equal('it is over', [revoked.state, revoked.endReason], ['REVOKED', 'REVOKED_BY_CUSTOMER']);
  await hearing.erin.hear('REVOKED', withRole.id);
  for (const { id } of [without, withRole]) {
    expect.done(
      'its reporter may close a ticket',
      await closerOf(id).attempt(CloseTicketDocument, { ticketId: id }),
    );
  }

  function closerOf(ticketId: string) {
    return ticketId === without.id ? rita : jack;
  }
}
