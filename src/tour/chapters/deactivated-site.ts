import {
  ApproveDataAccessDocument,
  RequestDataAccessDocument,
} from '../../../schema/generated/operations.ts';
import { obstaclesOf, printEligibility } from '../report.ts';
import type { Stage } from '../stage.ts';

/** A site that is about to be deleted accepts tickets, and refuses grants. */
export async function deactivatedSite(stage: Stage): Promise<void> {
  const { people, timeline, expect } = stage;
  const { rita, erin, olivia } = people;
  timeline.chapter('A deactivated site');

  const ticket = await stage.file(rita, { site: 'acme-old', summary: 'One more export', ticked: true });
  timeline.line('Rita', `files ${ticket.key} about acme-old.example, which is deactivated`);
  expect.equal('the ticket is accepted', ticket.status, 'OPEN');
  expect.equal('it has no request for access', ticket.grants.edges.length, 0);
  await stage.assign(ticket.id, erin);
  expect.refused(
    'Erin may not ask for access',
    await erin.attempt(RequestDataAccessDocument, { ticketId: ticket.id }),
    'SITE_DEACTIVATED',
  );
  timeline.line('Olivia', 'is organization admin, and tries to approve');
  const refused = expect.refused(
    'even she is refused',
    await olivia.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
    'NOT_ELIGIBLE',
  );
  if (refused.__typename === 'NotEligibleError') {
    printEligibility(timeline, refused.eligibility);
    expect.equal('because of the site', obstaclesOf(refused.eligibility), ['SITE_DEACTIVATED']);
  }
}
