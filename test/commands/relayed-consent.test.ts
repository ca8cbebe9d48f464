/** What a new ticket brings, by who files it, whether the box is ticked, the reporter's role, and the site. */
import { describe, expect, test } from 'vitest';
import { keptForEver } from '../../src/audit/retention.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { decideCommand } from '../../src/commands/decide-command.ts';
import { grantChangeAuditEntry } from '../../src/commands/grant-change-effects.ts';
import type { UserViewer } from '../../src/identity/viewer.ts';
import type { Site } from '../../src/organizations/store.ts';
import { assignment, NOW, ticket, ticketing, user } from '../support/builders.ts';

type Case = {
  by?: 'reporter' | 'ticketing';
  ticked?: boolean;
  eligible?: boolean;
  site?: Partial<Site>;
  licensed?: boolean;
};

/** Files a ticket by the ticketing system, with the box ticked, for a reporter who may grant. */
function file({ by = 'ticketing', ticked = true, eligible = true, site = {}, licensed = true }: Case) {
  const place = ticket({ site, product: { licensed } });
  const reporter = user(
    'reporter',
    assignment(eligible ? 'ORGANIZATION_ADMIN' : 'GUARD_ADMIN', 'ORGANIZATION'),
  );
  const organization = {
    ...{ id: 'organization', name: 'Acme', hasGuard: true, createdAt: NOW },
    ...{ formerAdminId: null, formerAdminSince: null, ...keptForEver },
  };
  const facts = {
    ...place.product,
    site: { ...place.site, organization },
    reporter: reporter as UserViewer,
    ticketKey: 'SUP-1',
  };
  const input = {
    ...{ productId: 'product', summary: 'Slow', grantDataAccess: ticked },
    reporterId: by === 'ticketing' ? 'reporter' : null,
  };
  const viewer = by === 'ticketing' ? ticketing() : reporter;
  const { outcome } = decideCommand(createTicket, facts, input, { viewer, now: NOW });
  if ('refused' in outcome) throw new Error(outcome.refused.message);
  const { answer, grants = [], mails = [], entry } = outcome;
  return {
    relayed: answer.relayedConsent,
    relay: answer.consentRelayedById,
    states: grants.map(({ grant }) => grant.state),
    decisions: grants.flatMap(({ decision, relayedById }) =>
      decision === null ? [] : [{ ...decision, relayedById }],
    ),
    mails: mails.map(({ kind, aboutId }) => [kind.name, aboutId === grants[0]?.grant.id]),
    entry: entry?.details,
    entries: grants.map(grantChangeAuditEntry),
  };
}

const waits = { relayedConsentCounts: false };

describe('a consent that the ticketing system relays', () => {
  test('counts by default, and is recorded as relayed', () => {
    const filed = file({});
    expect(filed).toMatchObject({
      relayed: 'COUNTED',
      relay: 'ticketing',
      states: ['PENDING_APPROVAL', 'ACTIVE'],
      decisions: [{ stage: 'CUSTOMER', outcome: 'APPROVED', by: 'reporter', relayedById: 'ticketing' }],
      mails: [],
      entry: { relayedConsent: 'COUNTED' },
    });
    // The person is not named as having acted: the program did, on their behalf.
    const [requested, approved] = filed.entries;
    expect(approved).toMatchObject({
      action: 'grant.approve',
      actor: { kind: 'SERVICE_ACCOUNT', id: 'ticketing' },
      details: { relayedById: 'ticketing', onBehalfOfId: 'reporter' },
    });
    expect(requested?.details).not.toHaveProperty('relayedById');
  });

  test('counts on a restricted site as the first of two approvals', () => {
    expect(file({ site: { supportAccessRestricted: true } })).toMatchObject({
      relayed: 'COUNTED',
      states: ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'],
      decisions: [{ relayedById: 'ticketing' }],
    });
  });

  test('waits for the reporter, who gets mail, where the policy says that it does not count', () => {
    expect(file({ site: waits })).toMatchObject({
      relayed: 'AWAITS_CONFIRMATION',
      relay: 'ticketing',
      states: ['PENDING_APPROVAL'],
      decisions: [],
      mails: [['relayed-consent', true]],
      entry: { grantDataAccess: true, relayedConsent: 'AWAITS_CONFIRMATION' },
    });
  });

  test.each<[string, Case, string, string[]]>([
    ['of a reporter who may not grant', { eligible: false }, 'REPORTER_NOT_ELIGIBLE', ['PENDING_APPROVAL']],
    [
      'of such a reporter where it does not count',
      { eligible: false, site: waits },
      'REPORTER_NOT_ELIGIBLE',
      ['PENDING_APPROVAL'],
    ],
    ['on a deactivated site', { site: { status: 'DEACTIVATED' } }, 'NO_REQUEST', []],
    ['for an unlicensed product', { licensed: false }, 'NO_REQUEST', []],
  ])('%s approves nothing, and nobody gets mail', (_, given, relayed, states) => {
    expect(file(given)).toMatchObject({ relayed, relay: 'ticketing', states, decisions: [], mails: [] });
  });
});

test.each<[string, Case]>([
  ['ticks the box in person', { by: 'reporter' }],
  ['ticks the box in person where a relayed consent does not count', { by: 'reporter', site: waits }],
])('a reporter who %s approves in person', (_, given) => {
  const filed = file(given);
  expect(filed).toMatchObject({
    relayed: null,
    relay: null,
    states: ['PENDING_APPROVAL', 'ACTIVE'],
    decisions: [{ by: 'reporter', relayedById: undefined }],
    mails: [],
  });
  expect(filed.entry).not.toHaveProperty('relayedConsent');
  expect(filed.entries[1]?.details).not.toHaveProperty('relayedById');
});

test.each(['reporter', 'ticketing'] as const)(
  'a ticket by the %s without the box ticked relays nothing',
  (by) => {
    const filed = file({ by, ticked: false, site: waits });
    expect(filed).toMatchObject({
      relayed: null,
      relay: null,
      states: ['PENDING_APPROVAL'],
      decisions: [],
      mails: [],
    });
    expect(filed.entry).not.toHaveProperty('relayedConsent');
  },
);
