import { CloseTicketDocument, RevokeDataAccessDocument } from '../../../schema/generated/operations.ts';
import { grantorsOf, obstaclesOf, printEligibility } from '../report.ts';
import type { Stage } from '../stage.ts';

/** The consent box of a new ticket grants access only if the reporter's role may. */
export async function tickedBox(stage: Stage): Promise<void> {
  const { people, timeline, expect, inbox } = stage;
  const { rita, erin, jack } = people;
  timeline.chapter('The consent box');

  const without = await stage.file(rita, { site: 'acme', summary: 'Labels vanish', ticked: true });
  timeline.line('Rita', `has no role, and files ${without.key} with the box ticked`);
  expect.equal(
    'the ticket is filed, and its request waits',
    without.grants.edges.map(({ node }) => node.state),
    ['PENDING_APPROVAL'],
  );
  printEligibility(timeline, without.accessEligibility);
  expect.equal('the answer says why', obstaclesOf(without.accessEligibility), ['NO_MATCHING_ROLE']);
  expect.equal('and who may grant', grantorsOf(without.accessEligibility).includes(jack.email), true);

  const withRole = await stage.file(jack, { site: 'acme', summary: 'Sprints do not start', ticked: true });
  timeline.line('Jack', `is product admin of Jira, and files ${withRole.key} with the box ticked`);
  const [grant] = withRole.grants.edges.map(({ node }) => node);
  expect.equal(
    'access is granted at once, before an engineer is assigned',
    [grant?.state, grant?.path, grant?.engineer ?? null],
    ['ACTIVE', 'TICKET_CREATION', null],
  );
  await stage.assign(withRole.id, erin);
  const { event } = await inbox.erin.receive('REASSIGNED', withRole.id);
  timeline.line('Erin', 'is assigned, and receives the grant');
  expect.equal('she has access', [event.grant.state, event.grant.engineer?.email], ['ACTIVE', erin.email]);

  timeline.line('Jack', 'revokes it');
  const revoked = expect.done(
    'the person who granted may revoke',
    await jack.attempt(RevokeDataAccessDocument, {
      grantId: grant?.id ?? '',
      reason: 'Solved by restarting.',
    }),
  );
  expect.equal('it is over', [revoked.state, revoked.endReason], ['REVOKED', 'REVOKED_BY_CUSTOMER']);
  await inbox.erin.receive('REVOKED', withRole.id);
  for (const { id } of [without, withRole]) {
    expect.done(
      'the reporter may close the ticket',
      await closerOf(id).attempt(CloseTicketDocument, { ticketId: id }),
    );
  }

  function closerOf(ticketId: string) {
    return ticketId === without.id ? rita : jack;
  }
}
