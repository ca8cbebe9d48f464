/** What a ticket's timeline says of each action: the whole table, as people read it. */
import { describe, expect, test } from 'vitest';
import { type Names, timelineActions, timelineKind, timelineSentence } from '../../src/audit/timeline.ts';

const data = { scope: { kind: 'PRODUCT_DATA' } };
const one = { scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['a'] } };
const two = { scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['a', 'b'] } };

type Line = [
  action: string,
  by: [kind: string, name: string],
  details: object,
  names: Names,
  sentence: string,
];

const rita: Line[1] = ['USER', 'Rita'];
const jack: Line[1] = ['USER', 'Jack'];
const gina: Line[1] = ['USER', 'Gina'];
const erin: Line[1] = ['SUPPORT_ENGINEER', 'Erin'];
const desk: Line[1] = ['SERVICE_ACCOUNT', 'Desk'];
const itself: Line[1] = ['SYSTEM', 'Latchkey'];
const egon = { engineerId: 'egon@vendor.example' };

const table: Line[] = [
  ['ticket.create', rita, {}, {}, 'Rita filed the ticket.'],
  ['ticket.assign', desk, {}, egon, 'Desk assigned the ticket to egon@vendor.example.'],
  ['ticket.assign', desk, { engineerId: null }, {}, 'Desk left the ticket without an engineer.'],
  [
    'ticket.update_status',
    erin,
    { to: 'WAITING_FOR_CUSTOMER' },
    {},
    'Erin set the status to waiting for customer.',
  ],
  [
    'ticket.update',
    desk,
    { before: {}, after: { product: 'jira', status: 'WAITING_FOR_CUSTOMER' } },
    {},
    'Desk changed the ticket: the product to jira, and the status to waiting for customer.',
  ],
  ['ticket.update', erin, { after: { summary: 'Slow' } }, {}, 'Erin changed the ticket: the summary.'],
  ['ticket.close', rita, {}, {}, 'Rita closed the ticket.'],
  ['ticket.reopen', rita, {}, {}, 'Rita reopened the ticket.'],
  ['grant.request', erin, data, {}, "Erin asked for access to the product's data."],
  ['grant.request', erin, one, {}, 'Erin asked for access to 1 Rovo conversation.'],
  ['grant.request', rita, data, {}, "A request for access to the product's data was opened."],
  ['grant.approve', jack, { ...two, to: 'ACTIVE' }, {}, 'Jack approved access to 2 Rovo conversations.'],
  [
    'grant.approve',
    jack,
    { ...data, to: 'PENDING_GUARD_APPROVAL' },
    {},
    "Jack approved access to the product's data. A Guard admin decides next.",
  ],
  [
    'grant.approve',
    desk,
    data,
    { onBehalfOfId: 'rita@acme.example' },
    "Desk relayed rita@acme.example's approval of access to the product's data.",
  ],
  ['grant.approve_as_guard', gina, data, {}, "Gina approved access to the product's data as Guard admin."],
  ['grant.deny', jack, data, {}, "Jack denied access to the product's data."],
  ['grant.deny_as_guard', gina, data, {}, "Gina denied access to the product's data as Guard admin."],
  [
    'grant.lapse_approval',
    gina,
    data,
    { approverId: 'jack@acme.example' },
    "The customer's approval lapsed: jack@acme.example may no longer grant. The customer decides again.",
  ],
  ['grant.withdraw', erin, { endReason: 'WITHDRAWN_BY_ENGINEER' }, {}, 'Erin took the request back.'],
  ['grant.withdraw', rita, { endReason: 'TICKET_CLOSED' }, {}, 'The request ended with the ticket.'],
  [
    'grant.withdraw',
    jack,
    { endReason: 'SITE_DEACTIVATED' },
    {},
    'The request ended: its site was deactivated.',
  ],
  ['grant.expire', itself, data, {}, 'The request expired: nobody decided in time.'],
  ['grant.revoke', jack, { ...data, to: 'REVOKED' }, {}, "Jack revoked access to the product's data."],
  [
    'grant.revoke',
    jack,
    { ...data, to: 'DENIED' },
    {},
    "Jack took the approval of access to the product's data back.",
  ],
  [
    'grant.revoke',
    rita,
    { ...data, to: 'REVOKED', endReason: 'TICKET_CLOSED' },
    {},
    "Access to the product's data ended with the ticket.",
  ],
  ['grant.release', erin, data, {}, "Erin gave access to the product's data back."],
  [
    'grant.end',
    itself,
    { ...data, endReason: 'TIME_ELAPSED' },
    {},
    "Access to the product's data ended: its time ran out.",
  ],
  [
    'grant.end',
    jack,
    { ...one, endReason: 'PRODUCT_UNLICENSED' },
    {},
    'Access to 1 Rovo conversation ended: its product is no longer licensed.',
  ],
  [
    'grant.end',
    desk,
    { ...data, endReason: 'PRODUCT_CHANGED' },
    {},
    "Access to the product's data ended: the ticket is about another product now.",
  ],
  [
    'grant.reassign',
    desk,
    data,
    egon,
    "The grant of access to the product's data passed to egon@vendor.example.",
  ],
  [
    'grant.reassign',
    desk,
    data,
    {},
    "Nobody has the grant of access to the product's data until an engineer is assigned.",
  ],
  [
    'support_session.start',
    erin,
    { reason: 'GATHER_LOGS' },
    {},
    'Erin started a support session to gather logs.',
  ],
  ['support_session.start', erin, { reason: 'SOMETHING_NEW' }, {}, 'Erin started a support session.'],
  ['support_session.end', erin, { endReason: 'ENDED_BY_ENGINEER' }, {}, 'Erin ended the support session.'],
  [
    'support_session.end',
    jack,
    { endReason: 'GRANT_REVOKED' },
    {},
    'The support session ended: its grant was revoked.',
  ],
  [
    'support_session.end',
    itself,
    { endReason: 'IDLE_LIMIT' },
    {},
    'The support session ended: it was not used.',
  ],
  [
    'change_request.request',
    erin,
    { kind: 'PERMISSIONS' },
    {},
    'Erin asked for the consent to a change of permissions.',
  ],
  ['change_request.consent', jack, { kind: 'SETTINGS' }, {}, 'Jack consented to a change of settings.'],
  ['change_request.refuse', jack, { kind: 'CONTENT' }, {}, 'Jack refused a change of content.'],
  [
    'change_request.revoke_consent',
    jack,
    { kind: 'USERS_AND_GROUPS' },
    {},
    'Jack took the consent to a change of users and groups back.',
  ],
  [
    'change_request.withdraw',
    erin,
    { kind: 'CONTENT', endReason: 'WITHDRAWN_BY_ENGINEER' },
    {},
    'Erin took the request for a change of content back.',
  ],
  [
    'change_request.withdraw',
    desk,
    { kind: 'CONTENT', endReason: 'TICKET_REASSIGNED' },
    {},
    'The request for a change of content ended: the ticket passed to somebody else.',
  ],
  ['change_request.expire', itself, { kind: 'CONTENT' }, {}, 'The request for a change of content expired.'],
  ['change_request.begin', erin, { kind: 'CONTENT' }, {}, 'Erin began a change of content.'],
  [
    'change_request.complete',
    erin,
    { kind: 'CONTENT', result: 'FAILED' },
    {},
    'Erin recorded what came of a change of content: it failed.',
  ],
];

describe('a timeline', () => {
  test.each(table)('%s by %j: %j %j', (action, [actorKind, actorName], details, names, sentence) => {
    expect(timelineSentence({ action, actorKind, actorName, details }, names)).toBe(sentence);
  });

  test('has a line here for each of its actions, and a kind of its own for each', () => {
    expect([...new Set(table.map(([action]) => action))].toSorted()).toEqual([...timelineActions].toSorted());
    const kinds = timelineActions.map((action) => timelineKind({ action }));
    expect(new Set(kinds).size).toBe(kinds.length);
  });
});
