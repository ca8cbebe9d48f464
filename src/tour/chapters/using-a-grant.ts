import {
  CloseTicketDocument,
  ConsentToChangeDocument,
  RecordChangeResultDocument,
  RequestChangeDocument,
  RevokeDataAccessDocument,
  StartSupportSessionDocument,
  SupportSessionActionsDocument,
} from '../../../schema/generated/operations.ts';
import { openChangeInbox } from '../inbox.ts';
import { latency, timed } from '../report.ts';
import type { Stage } from '../stage.ts';

/** Milliseconds. */
const anHour = 60 * 60 * 1_000;

/** What a grant is worth: the product's backend asks before each support action, and every answer is on record. */
export async function usingAGrant(stage: Stage): Promise<void> {
  const { people, timeline, expect, inbox } = stage;
  const { erin, jack, jira, olivia } = people;
  timeline.chapter('Using a grant');

  const ticket = await stage.file(jack, { site: 'acme', summary: 'A filter finds nothing', ticked: true });
  const grantId = ticket.grants.edges[0]?.node.id ?? '';
  timeline.line('Jack', `files ${ticket.key} about Jira on acme.example with the box ticked`);
  await stage.assign(ticket.id, erin);
  await inbox.erin.receive('REASSIGNED', ticket.id);

  const question = {
    ...{ engineer: erin, product: 'jira', siteUrl: 'https://acme.example' },
    context: { ticket: ticket.key },
  };
  const workItem = { action: 'work_item.read', resource: { type: 'work_item', id: 'BOARD-7' } };
  timeline.line('Jira', 'asks whether Erin may read the work item BOARD-7');
  expect.equal('not without a support session', await stage.ask({ ...question, ...workItem }), {
    decision: false,
    code: 'NO_OPEN_SESSION',
  });

  timeline.line('Erin', 'starts a support session');
  const session = expect.done(
    'the grant is active, so she may',
    await erin.attempt(StartSupportSessionDocument, {
      ...{ grantId, reason: 'INVESTIGATE_PROBLEM', note: 'Looking at the filter.', country: 'DE' },
    }),
  );
  timeline.line('Jira', 'asks again');
  expect.equal('she may read it', await stage.ask({ ...question, ...workItem }), {
    decision: true,
    code: 'ALLOWED',
  });
  expect.equal(
    'she may not read a Rovo conversation',
    await stage.ask({
      ...question,
      ...{ action: 'rovo_conversation.read', resource: { type: 'rovo_conversation', id: 'conversation-1' } },
    }),
    { decision: false, code: 'ROVO_GRANT_NEEDED' },
  );

  await using changes = await openChangeInbox(erin);
  timeline.line('Erin', 'asks for a change: she needs to see the project BOARD');
  const change = expect.done(
    'the engineer may ask',
    await erin.attempt(RequestChangeDocument, {
      ...{ ticketId: ticket.id, kind: 'PERMISSIONS', resourceType: 'permission', resourceId: 'BOARD' },
      description: 'Add the support group to the viewers of BOARD.',
      justification: 'The filter reads a project that I cannot open.',
      validUntil: new Date(Date.now() + anHour).toISOString(),
    }),
  );
  const apply = {
    ...question,
    ...{ action: 'change.apply', resource: { type: 'permission', id: 'BOARD' } },
    context: { ...question.context, change_request: change.id },
  };
  expect.equal('nothing is changed without consent', await stage.ask(apply), {
    decision: false,
    code: 'CHANGE_NOT_CONSENTED',
  });
  timeline.line('Jack', 'consents');
  const consent = await timed(() => jack.attempt(ConsentToChangeDocument, { changeRequestId: change.id }));
  expect.done('whoever may grant may consent', consent.result);
  const consented = await changes.receive('CONSENTED', ticket.id);
  timeline.line('Erin', `receives CONSENTED, ${latency(consented, consent)}`);
  expect.equal('by his decision', consented.event.changeRequest.decidedBy?.email, jack.email);
  expect.equal('the change is allowed', await stage.ask(apply), { decision: true, code: 'ALLOWED' });
  await changes.receive('BEGUN', ticket.id);
  timeline.line('Erin', 'receives BEGUN: the backend was allowed to make it');
  expect.equal('once', await stage.ask(apply), { decision: false, code: 'CHANGE_ALREADY_ALLOWED' });
  expect.done(
    'Erin records that it is made',
    await erin.attempt(RecordChangeResultDocument, { changeRequestId: change.id, result: 'APPLIED' }),
  );

  timeline.line('Jack', 'revokes the access');
  expect.done('the person who granted may revoke', await jack.attempt(RevokeDataAccessDocument, { grantId }));
  timeline.line(jira.name, 'asks for the next work item');
  expect.equal('her session has ended with the access', await stage.ask({ ...question, ...workItem }), {
    decision: false,
    code: 'NO_OPEN_SESSION',
  });

  const { node } = await olivia.client.execute(SupportSessionActionsDocument, { id: session.id, first: 100 });
  const actions = node !== null && 'actions' in node ? node.actions.edges : [];
  timeline.line('Olivia', 'reads what Erin did in the session');
  expect.equal(
    'every answer is there',
    actions
      .map(({ node: { action, outcome, details } }) =>
        outcome === 'REFUSED' ? `${action} ${details['reason']}` : action,
      )
      .reverse(),
    [
      'SUPPORT_SESSION_START',
      'WORK_ITEM_READ',
      'ROVO_CONVERSATION_READ ROVO_GRANT_NEEDED',
      'CHANGE_APPLY CHANGE_NOT_CONSENTED',
      'CHANGE_APPLY',
      'CHANGE_REQUEST_BEGIN',
      'CHANGE_APPLY CHANGE_ALREADY_ALLOWED',
      'CHANGE_REQUEST_COMPLETE',
      'SUPPORT_SESSION_END',
    ],
  );
  expect.done('Jack may close the ticket', await jack.attempt(CloseTicketDocument, { ticketId: ticket.id }));
}
