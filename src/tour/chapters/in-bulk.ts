import {
  ApproveDataAccessInBulkDocument,
  GrantsDocument,
  RevokeDataAccessInBulkDocument,
  WithdrawDataAccessRequestDocument,
} from '../../../schema/generated/operations.ts';
import type { Stage } from '../stage.ts';

/** Decisions on several grants in one mutation, each with its own result. */
export async function inBulk(stage: Stage): Promise<void> {
  const { people, timeline, expect, inbox } = stage;
  const { rita, erin, olivia } = people;
  timeline.chapter('Many requests at once');

  const ticketIds: string[] = [];
  for (const summary of ['Page trees collapse', 'Macros fail', 'Drafts are lost']) {
    const { id } = await stage.file(rita, { site: 'acme', product: 'confluence', summary });
    await stage.assign(id, erin);
    ticketIds.push(id);
  }
  timeline.line('Rita', 'files three tickets about Confluence on acme.example');
  const { grants } = await olivia.client.execute(GrantsDocument, {
    filter: { states: ['PENDING_APPROVAL'] },
    first: 100,
  });
  const outstanding = (grants?.edges ?? []).map(({ node }) => node);
  const waiting = outstanding.filter(({ ticket }) => ticketIds.includes(ticket.id));
  const grantIds = waiting.map(({ id }) => id);
  expect.equal('Olivia finds all three among the outstanding requests', grantIds.length, 3);
  const [first, withdrawn, last] = grantIds;

  timeline.line('Erin', 'withdraws one of the requests');
  expect.done(
    'the engineer may withdraw',
    await erin.attempt(WithdrawDataAccessRequestDocument, { grantId: withdrawn ?? '' }),
  );
  timeline.line('Olivia', 'approves all three at once');
  const { results } = expect.done(
    'Olivia may approve in bulk',
    await olivia.attempt(ApproveDataAccessInBulkDocument, { grantIds }),
  );
  expect.equal('each has its own result, in the given order', results.map(outcomeOf), [
    'ACTIVE',
    'ALREADY_OVER',
    'ACTIVE',
  ]);
  for (const id of ticketIds) {
    const ticketOfWithdrawn = waiting.find((grant) => grant.id === withdrawn)?.ticket.id;
    if (id !== ticketOfWithdrawn) await inbox.erin.receive('ACTIVATED', id);
  }
  timeline.line('Erin', 'receives ACTIVATED for both');

  timeline.line('Olivia', 'revokes both at once');
  const revoked = expect.done(
    'Olivia may revoke in bulk',
    await olivia.attempt(RevokeDataAccessInBulkDocument, { grantIds: [first ?? '', last ?? ''] }),
  );
  expect.equal('access is over', revoked.results.map(outcomeOf), ['REVOKED', 'REVOKED']);
}

/** The state of the grant, or why it was not changed. */
function outcomeOf({ result }: { result: { state: string } | { code: string } }): string {
  return 'state' in result ? result.state : result.code;
}
