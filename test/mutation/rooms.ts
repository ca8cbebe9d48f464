/**
 * A part of the pure code, and the unit tests that are to find every fault in it. Property tests are left out: they
 * would find more, by chance, and take seconds for each change.
 */
export interface Room {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

export const rooms: Readonly<Record<string, Room>> = {
  grants: {
    mutate: ['src/grants/grant.ts', 'src/grants/lifecycle.ts', 'src/grants/terms.ts', 'src/grants/as-of.ts'],
    tests: ['test/grants/{as-of,clocks,grant,lifecycle,terms,time-limits,two-approvals}.test.ts'],
  },
  roles: {
    mutate: [
      'src/roles/role.ts',
      'src/roles/role-counts.ts',
      'src/roles/eligibility.ts',
      'src/roles/obstacle-messages.ts',
    ],
    tests: ['test/roles/{role,eligibility,obstacle-messages,required-roles}.test.ts'],
  },
  authorization: {
    mutate: [
      'src/authorization/operations.ts',
      'src/authorization/viewer-relations.ts',
      'src/authorization/event-visibility.ts',
    ],
    tests: ['test/authorization/{operations,viewer-relations,event-visibility}.test.ts'],
  },
  proposals: {
    mutate: ['src/proposals/proposal.ts', 'src/proposals/protection.ts', 'src/proposals/summary.ts'],
    tests: ['test/proposals/{proposal,protection}.test.ts'],
  },
  rovo: { mutate: ['src/rovo/deletion.ts'], tests: ['test/rovo/deletion.test.ts'] },
  access: {
    mutate: ['src/access/decide.ts', 'src/access/question.ts', 'src/access/catalogue.ts'],
    tests: ['test/access/{decide,question,catalogue,faq}.test.ts'],
  },
  sessions: { mutate: ['src/sessions/session.ts'], tests: ['test/sessions/session.test.ts'] },
  changes: {
    mutate: ['src/changes/change-request.ts', 'src/changes/lifecycle.ts', 'src/changes/as-of.ts'],
    tests: ['test/changes/{as-of,lifecycle}.test.ts'],
  },
  organizations: {
    mutate: ['src/organizations/residency.ts', 'src/organizations/site-url.ts'],
    tests: ['test/organizations/{residency,site-url}.test.ts'],
  },
  webhooks: {
    mutate: ['src/webhooks/plan.ts', 'src/webhooks/ticket-event.ts'],
    tests: ['test/webhooks/{order,reading}.test.ts'],
  },
  events: {
    mutate: ['src/events/event-cursor.ts', 'src/events/position.ts', 'src/events/delivery-queue.ts'],
    tests: ['test/events/{event-cursor,position,delivery-queue}.test.ts'],
  },
};

/** The room that `npm run test:mutation` runs at the moment. */
export function roomNamed(name: string): Room {
  const room = rooms[name];
  if (room === undefined) throw new Error(`No room ${name}: there are ${Object.keys(rooms).join(', ')}.`);
  return room;
}
