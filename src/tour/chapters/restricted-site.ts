import {
  ApproveDataAccessDocument,
  ApproveGuardRequestDocument,
  DenyGuardRequestDocument,
} from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';
import { latency, timed } from '../words.ts';

/** Support access restrictions: two places, two people. */
export async function restrictedSite(stage: Stage): Promise<void> {
  const { people, timeline, expect, hearing } = stage;
  const { rita, erin, olivia, vera, gina } = people;
  timeline.chapter('A restricted site: a Guard admin decides in second place');

  const ticket = await stage.file(rita, { site: 'acme-vault', summary: 'Two rules fire at once' });
  timeline.line('Rita', `files ${ticket.key} about Jira on acme-vault.example`);
  await stage.assign(ticket.id, erin);
  timeline.line('Vera', 'is product admin and Guard admin there, and approves');
  const first = expect.done(
    'Vera may approve in first place',
    await vera.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
  );
  expect.equal('it waits for Guard', first.state, 'PENDING_GUARD_APPROVAL');
  await hearing.erin.hear('AWAITING_GUARD', ticket.id);
  timeline.line('Erin', 'is told: AWAITING_GUARD. She has no access yet');
  expect.refused(
    'Vera may not approve in second place as well',
    await vera.attempt(ApproveGuardRequestDocument, { grantId: first.id }),
    'SAME_PERSON_MAY_NOT_APPROVE_TWICE',
  );
  expect.refused(
    'Olivia, organization admin, is no Guard admin',
    await olivia.attempt(ApproveGuardRequestDocument, { grantId: first.id }),
    'FORBIDDEN',
  );
  timeline.line('Gina', 'is Guard admin, and approves');
  const approval = await timed(() => gina.attempt(ApproveGuardRequestDocument, { grantId: first.id }));
  const second = expect.done('Gina may approve in second place', approval.result);
  const activated = await hearing.erin.hear('ACTIVATED', ticket.id);
  timeline.line('Erin', `is told: ACTIVATED, ${latency(activated, approval)}`);
  expect.equal(
    'she has access by two decisions',
    second.decisions.map(({ stage: place, decidedBy }) => `${place} ${decidedBy.email}`),
    [`CUSTOMER ${vera.email}`, `GUARD ${gina.email}`],
  );

  const other = await stage.file(rita, { site: 'acme-vault', summary: 'A rule runs as the wrong person' });
  await stage.assign(other.id, erin);
  timeline.line('Rita', `files ${other.key} there as well; Vera approves, Gina denies`);
  const approved = expect.done(
    'Vera may approve',
    await vera.attempt(ApproveDataAccessDocument, { ticketId: other.id }),
  );
  const denied = expect.done(
    'Gina may deny',
    await gina.attempt(DenyGuardRequestDocument, { grantId: approved.id, reason: 'Not this week.' }),
  );
  await hearing.erin.hear('DENIED', other.id);
  expect.equal('no access', [denied.state, denied.endReason], ['DENIED', 'DENIED_BY_GUARD']);
}
