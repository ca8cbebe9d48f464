import {
  ApproveDataAccessDocument,
  ApproveGuardRequestDocument,
  DenyGuardRequestDocument,
} from '../../../schema/generated/operations.ts';
import { latency, timed } from '../report.ts';
import type { Stage } from '../stage.ts';

/** On a restricted site a grant needs the approvals of two people. */
export async function restrictedSite(stage: Stage): Promise<void> {
  const { people, timeline, expect, inbox } = stage;
  const { rita, erin, olivia, vera, gina } = people;
  timeline.chapter('A restricted site: a Guard admin approves as well');

  const ticket = await stage.file(rita, { site: 'acme-vault', summary: 'Two rules fire at once' });
  timeline.line('Rita', `files ${ticket.key} about Jira on acme-vault.example`);
  await stage.assign(ticket.id, erin);
  timeline.line('Vera', 'is product admin and Guard admin there, and approves');
  const first = expect.done(
    'Vera may give the first approval',
    await vera.attempt(ApproveDataAccessDocument, { ticketId: ticket.id }),
  );
  expect.equal('the request waits for Guard', first.state, 'PENDING_GUARD_APPROVAL');
  await inbox.erin.receive('AWAITING_GUARD', ticket.id);
  timeline.line('Erin', 'receives AWAITING_GUARD, and has no access yet');
  expect.refused(
    'Vera may not give the second approval as well',
    await vera.attempt(ApproveGuardRequestDocument, { grantId: first.id }),
    'SAME_PERSON_MAY_NOT_APPROVE_TWICE',
  );
  expect.refused(
    'Olivia is an organization admin, not a Guard admin',
    await olivia.attempt(ApproveGuardRequestDocument, { grantId: first.id }),
    'FORBIDDEN',
  );
  timeline.line('Gina', 'is Guard admin, and approves');
  const approval = await timed(() => gina.attempt(ApproveGuardRequestDocument, { grantId: first.id }));
  const second = expect.done('Gina may give the second approval', approval.result);
  const activated = await inbox.erin.receive('ACTIVATED', ticket.id);
  timeline.line('Erin', `receives ACTIVATED, ${latency(activated, approval)}`);
  expect.equal(
    'she has access by two decisions',
    second.decisions.map(({ stage: place, decidedBy }) => `${place} ${decidedBy.email}`),
    [`CUSTOMER ${vera.email}`, `GUARD ${gina.email}`],
  );

  const other = await stage.file(rita, { site: 'acme-vault', summary: 'A rule runs as the wrong person' });
  await stage.assign(other.id, erin);
  timeline.line('Rita', `files ${other.key} there; Vera approves, Gina denies`);
  const approved = expect.done(
    'Vera may approve',
    await vera.attempt(ApproveDataAccessDocument, { ticketId: other.id }),
  );
  const denied = expect.done(
    'Gina may deny',
    await gina.attempt(DenyGuardRequestDocument, { grantId: approved.id, reason: 'Not this week.' }),
  );
  await inbox.erin.receive('DENIED', other.id);
  expect.equal('no access', [denied.state, denied.endReason], ['DENIED', 'DENIED_BY_GUARD']);
}
