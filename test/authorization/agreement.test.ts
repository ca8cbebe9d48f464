/**
 * One rule says who may see what. The code has it four times: as conditions of reads (and as ways in which lists are read), as relations of commands, as
 * the check of each event, and as topics of subscriptions. These tests compare all four for random viewers.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { searchAuditEntries } from '../../src/audit/search.ts';
import { mayReceive, topicsFor } from '../../src/authorization/event-visibility.ts';
import { may, type Relation } from '../../src/authorization/operations.ts';
import {
  relationsToAccount,
  relationsToDeletion,
  relationsToGuardedOrganization,
  relationsToInboundTicketEvent,
  relationsToInvitation,
  relationsToOrganization,
  relationsToPlatform,
  relationsToProposedChange,
  relationsToSession,
  relationsToSite,
  relationsToTicket,
  seesAccount,
  seesActiveAccess,
  seesAuditStream,
  seesDeletion,
  seesGrants,
  seesInboundTicketEvent,
  seesInvitation,
  seesOrganization,
  seesProposedChange,
  seesSession,
  seesTicket,
} from '../../src/authorization/viewer-relations.ts';
import {
  ownConsents,
  placesOfAuditEntries,
  seesAuditEntry,
  visibleAccounts,
  visibleAuditEntries,
  visibleAuditStreams,
  visibleChangeRequests,
  visibleDeletions,
  visibleGrants,
  visibleInboundTicketEvents,
  visibleInvitations,
  visibleOrganizations,
  visibleProducts,
  visibleProposedChanges,
  visibleRoleAssignments,
  visibleSites,
  visibleSupportSessions,
  visibleTickets,
  visibleTimelines,
} from '../../src/authorization/visibility.ts';
import { listVisibleIds, listVisibleTicketIds } from '../../src/authorization/visible-pages.ts';
import { waysToSeeGrants, waysToSeeSessions, waysToSeeTickets } from '../../src/authorization/ways.ts';
import { type GrantEventEnvelope, grantKind } from '../../src/events/kinds/grant.ts';
import { concerns } from '../../src/events/topics.ts';
import { toRow } from '../../src/grants/row.ts';
import type { ServiceCapability, Viewer } from '../../src/identity/viewer.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import type { ProductOnSite } from '../../src/roles/eligibility.ts';
import { isWellFormed, type Role, type RoleAssignment, roleRules } from '../../src/roles/role.ts';
import { requested } from '../../src/rovo/deletion.ts';
import { openSession, pendingApproval } from '../support/builders.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { bySize } from '../support/size.ts';

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase({
    url: testDatabase.url,
    logger: createLogger('silent'),
    deadlines: generousDatabaseDeadlines,
  });
  await settle();
});
afterAll(async () => {
  await database.dispose();
  await testDatabase.dispose();
});

// Two customers, one of them with two sites; two products on each site.
const organizations = [newId(), newId()];
const sites: ProductOnSite['site'][] = [0, 0, 1].map((organization, index) => ({
  id: newId(),
  organizationId: organizations[organization] ?? '',
  status: index === 1 ? 'DEACTIVATED' : 'ACTIVE',
  experience: index === 0 ? 'CENTRALIZED' : 'ORIGINAL',
}));
const places: ProductOnSite[] = sites.flatMap((site) =>
  ['jira', 'confluence'].map((key) => ({ site, product: { id: newId(), key, licensed: true } })),
);
const users = Array.from({ length: 6 }, (_, index) => ({
  id: newId(),
  organizationIds: organizations.filter((_id, which) => index % 3 === which || index % 3 === 2),
}));
const engineers = [newId(), newId()];
const services = [newId(), newId()];

// Every user has filed a ticket for every product, for each engineer and for none; every other user has approved once, and consented once.
const tickets = places.flatMap((place) =>
  users.flatMap(({ id: reporterId }, index) =>
    [null, ...engineers].map((assigneeId, nth) => ({
      ...{ id: newId(), place, reporterId, assigneeId, grantId: newId(), changeId: newId() },
      approverId: nth === 0 ? null : (users[(index + nth) % users.length]?.id ?? null),
      consenterId: nth === 0 ? null : (users[(index + nth + 1) % users.length]?.id ?? null),
    })),
  ),
);
// Both engineers have used every grant, whoever has it now.
const sessions = tickets.flatMap((ticket) =>
  engineers.map((engineerId) => ({ id: newId(), engineerId, ticket })),
);
const held = users.flatMap(({ id: accountId, organizationIds }) =>
  organizationIds.map((organizationId) => ({ id: newId(), accountId, organizationId })),
);
// In every log: what Latchkey did, and what each engineer did.
const entries = [
  { organizationId: null, siteId: null },
  ...organizations.map((organizationId) => ({ organizationId, siteId: null })),
  ...sites.map(({ id, organizationId }) => ({ organizationId, siteId: id })),
].flatMap((place) => [null, ...engineers].map((actorId) => ({ ...place, id: newId(), actorId })));

// Every user has proposed a change in each of their organizations and of each site there.
const changes = [
  ...organizations.map((id) => ({ organizationId: id, siteId: null })),
  ...sites.map(({ id, organizationId }) => ({ organizationId, siteId: id })),
].flatMap((place) =>
  users
    .filter(({ organizationIds }) => organizationIds.includes(place.organizationId))
    .map(({ id }) => ({
      ...place,
      id: newId(),
      proposedById: id,
      needs: 'GUARD_ADMIN' as const,
      subjectId: null,
      effectiveAt: null,
    })),
);

const inboundEvents = services.map((integrationId) => ({ id: newId(), integrationId }));

// Of each organization and of each site, by each user in turn.
const deletions = [
  ...organizations.map((id) => ({ organizationId: id, siteId: null })),
  ...sites.map(({ id, organizationId }) => ({ organizationId, siteId: id })),
].map((place, index) => ({ ...place, id: newId(), requestedById: users[index]?.id ?? '' }));

// Of each user to each organization.
const invitations = organizations.flatMap((organizationId) =>
  users.map(({ id }) => ({ id: newId(), organizationId, email: `${id}@example.org` })),
);

const auditStreams = organizations.map((organizationId) => ({ id: newId(), organizationId }));

async function settle(): Promise<void> {
  const { prisma } = database;
  const createdAt = new Date();
  const account = (kind: Viewer['kind'], id: string) => ({
    ...{ id, kind, email: `${id}@example.org`, name: id, createdAt },
  });
  await prisma.organization.createMany({
    data: organizations.map((id) => ({ id, name: id, hasGuard: true, createdAt })),
  });
  await prisma.account.createMany({
    data: [
      ...users.map(({ id }) => account('USER', id)),
      ...engineers.map((id) => account('SUPPORT_ENGINEER', id)),
      ...services.map((id) => account('SERVICE_ACCOUNT', id)),
    ],
  });
  await prisma.membership.createMany({
    data: users.flatMap(({ id: accountId, organizationIds }) =>
      organizationIds.map((organizationId) => ({ organizationId, accountId, createdAt })),
    ),
  });
  await prisma.site.createMany({
    data: sites.map((site) => ({
      ...{ ...site, url: `https://${site.id}.example`, name: site.id, dataResidencyRegion: 'EU', createdAt },
    })),
  });
  await prisma.product.createMany({
    data: places.map(({ site, product }) => ({
      ...{ ...product, organizationId: site.organizationId, siteId: site.id, name: product.key, createdAt },
    })),
  });
  await prisma.roleAssignment.createMany({
    data: held.map((one) => ({ ...one, role: 'GUARD_ADMIN' as const, createdAt })),
  });
  await prisma.ticket.createMany({
    data: tickets.map(({ id, place, reporterId, assigneeId }, index) => ({
      ...{ id, key: `AGREE-${index}`, summary: 'It is slow', reporterId, assigneeId, createdAt },
      ...{ organizationId: place.site.organizationId, siteId: place.site.id, productId: place.product.id },
    })),
  });
  await prisma.grant.createMany({
    data: tickets.map(({ id, place, reporterId, assigneeId, approverId, grantId }) => {
      const of = {
        id: grantId,
        ticketId: id,
        organizationId: place.site.organizationId,
        siteId: place.site.id,
        requestedById: reporterId,
        engineerId: assigneeId,
        ...{ requestedAt: createdAt, approvalDueAt: new Date(createdAt.getTime() + 1000) },
      };
      return {
        ...toRow({ ...pendingApproval(), ...of }),
        ...(approverId === null
          ? {}
          : {
              ...{ state: 'PENDING_GUARD_APPROVAL' as const, path: 'SUPPORT_PORTAL' as const },
              ...{ customerApprovedAt: createdAt, customerApprovedById: approverId },
            }),
        ...(place.site.status === 'ACTIVE'
          ? {}
          : { state: 'WITHDRAWN' as const, endReason: 'SITE_DEACTIVATED' as const, endedAt: createdAt }),
      };
    }),
  });
  // Sessions under grants that are not active, as they are after a reassignment or an end.
  await prisma.$executeRawUnsafe(
    'ALTER TABLE support_sessions DISABLE TRIGGER support_sessions_active_grant',
  );
  await prisma.supportSession.createMany({
    data: sessions.map(({ id, engineerId, ticket }) => ({
      ...openSession({ startedAt: createdAt, lastUsedAt: createdAt }),
      ...{ id, engineerId, grantId: ticket.grantId, ticketId: ticket.id, siteId: ticket.place.site.id },
      organizationId: ticket.place.site.organizationId,
      ...{ expiresAt: new Date(createdAt.getTime() + 1000), dueAt: new Date(createdAt.getTime() + 1000) },
      ...{ endedAt: createdAt, endReason: 'ENDED_BY_ENGINEER' as const, version: 2 },
    })),
  });
  await prisma.inboundTicketEvent.createMany({
    data: inboundEvents.map((event) => ({
      ...{
        ...event,
        webhookId: event.id,
        externalId: event.id,
        type: 'CLOSED',
        state: 'APPLIED',
        attempt: 1,
      },
      ...{ content: {}, moment: event.id, occurredAt: createdAt, receivedAt: createdAt },
    })),
  });
  await prisma.changeRequest.createMany({
    data: tickets.map(({ id, place, assigneeId, changeId, consenterId }) => ({
      ...{ id: changeId, ticketId: id, siteId: place.site.id, organizationId: place.site.organizationId },
      ...{
        kind: 'SETTINGS' as const,
        resourceType: 'project',
        resourceId: 'ACME',
        description: 'Switch it on',
      },
      ...{
        justification: 'It is off',
        requestedById: assigneeId ?? engineers[0] ?? '',
        requestedAt: createdAt,
      },
      ...{ validUntil: new Date(createdAt.getTime() + 1000), version: 1 },
      ...(consenterId === null
        ? { state: 'PENDING_CONSENT' as const }
        : { state: 'CONSENTED' as const, decidedById: consenterId, decidedAt: createdAt }),
    })),
  });
  await prisma.proposedChange.createMany({
    data: changes.map((change) => ({
      ...{ ...change, kind: 'REMOVE_USER' as const, about: change.id, summary: 'Remove somebody' },
      ...{ input: {}, before: {}, after: {}, proposedAt: createdAt, version: 1 },
      expiresAt: new Date(createdAt.getTime() + 1000),
    })),
  });
  await prisma.rovoDataDeletion.createMany({
    data: deletions.map((deletion) => ({ ...deletion, ...requested, requestedAt: createdAt })),
  });
  await prisma.auditStream.createMany({
    data: auditStreams.map((stream) => ({
      ...{ ...stream, name: 'SIEM', url: 'https://siem.example/', format: 'RECORD', filter: {} },
      ...{ maxBatchBytes: 20_000, state: 'PAUSED', createdById: users[0]?.id ?? '', createdAt, version: 1 },
    })),
  });
  await prisma.invitation.createMany({
    data: invitations.map((invitation) => ({
      ...{ ...invitation, name: 'Invited', invitedById: users[0]?.id ?? '', createdAt },
      ...{ expiresAt: new Date(createdAt.getTime() + 1000), state: 'WAITING' as const },
    })),
  });
  await prisma.auditEntry.createMany({
    data: entries.map((entry) => ({
      ...{ ...entry, occurredAt: createdAt, action: 'site.change', outcome: 'SUCCEEDED' as const },
      // The database sets its own.
      ...{ txid: 0n, seq: 0n },
      ...{
        actorKind: entry.actorId === null ? 'SYSTEM' : 'SUPPORT_ENGINEER',
        actorName: 'Somebody',
        actorEmail: entry.actorId === null ? null : `${entry.actorId}@example.org`,
        resourceType: 'Site',
        resourceId: entry.id,
        details: {},
      },
    })),
  });
}

// The viewers: of every kind, with any rights. A user's rights are random, not those in the database.

const anyAssignment: fc.Arbitrary<RoleAssignment> = fc
  .record({
    role: fc.constantFrom(...(Object.keys(roleRules) as Role[])),
    place: fc.constantFrom(...places),
    reach: fc.constantFrom('ORGANIZATION', 'SITE', 'PRODUCT'),
    syncState: fc.constantFrom('SYNCED' as const, 'SYNCED' as const, 'PENDING_SYNC' as const),
  })
  .map(({ role, place: { site, product }, reach, syncState }) => ({
    ...{
      id: newId(),
      accountId: 'set below',
      role,
      syncState,
      since: 0,
      organizationId: site.organizationId,
    },
    siteId: reach === 'ORGANIZATION' ? null : site.id,
    productId: reach === 'PRODUCT' ? product.id : null,
    productKey: reach === 'PRODUCT' ? product.key : null,
  }))
  .filter(isWellFormed);

const someone = (id: string) => ({ id, email: `${id}@example.org`, name: id });

const anyUser: fc.Arbitrary<Viewer> = fc
  .record({
    id: fc.constantFrom(...users.map((user) => user.id)),
    organizationIds: fc.subarray(organizations),
    assignments: fc.array(anyAssignment, { maxLength: 4 }),
  })
  .map(({ id, organizationIds, assignments }) => ({
    ...{ kind: 'USER', ...someone(id), organizationIds },
    // Only members hold roles.
    assignments: assignments
      .filter(({ organizationId }) => organizationIds.includes(organizationId))
      .map((one) => ({ ...one, accountId: id })),
  }));

const capabilities: ServiceCapability[] = ['TICKETING', 'GRANT_WATCHING', 'AUDIT_READING'];
const evaluatedProducts = ['jira', 'rovo'];

const anyService: fc.Arbitrary<Viewer> = fc
  .record({
    id: fc.constantFrom(...services),
    organizationId: fc.constantFrom(null, ...organizations),
    has: fc.subarray(capabilities, { minLength: 1 }),
    evaluates: fc.subarray(evaluatedProducts),
  })
  .map(
    ({ id, organizationId, has, evaluates }): Viewer => ({
      kind: 'SERVICE_ACCOUNT',
      ...someone(id),
      organizationId,
      capabilities: evaluates.length === 0 ? has : [...has, 'ACCESS_EVALUATION'],
      evaluatedProducts: evaluates,
    }),
  );

const anybody: fc.Arbitrary<Viewer> = fc.oneof(
  { weight: 6, arbitrary: anyUser },
  { weight: 2, arbitrary: anyService },
  fc.constantFrom(...engineers).map((id): Viewer => ({ kind: 'SUPPORT_ENGINEER', ...someone(id) })),
  fc.constant<Viewer>({ kind: 'OPERATOR', ...someone(newId()) }),
  fc.constant<Viewer>({ kind: 'COMPLIANCE_ANALYST', ...someone(newId()) }),
);

type Ids = (viewer: Viewer) => Promise<{ id: string }[]>;

async function sameIds(viewer: Viewer, list: Ids, expected: readonly { id: string }[]): Promise<void> {
  const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id).toSorted();
  expect(ids(await list(viewer))).toEqual(ids(expected));
}

const select = { id: true } as const;
const runs = { numRuns: bySize(60, 150) };
const everyId = { below: null, above: null, order: 'asc', limit: 10_000 } as const;

/** An engineer sees the organization, site and product of their tickets, and may do nothing to them. */
function worksAt(viewer: Viewer, isThere: (place: ProductOnSite) => boolean): boolean {
  return tickets.some(({ assigneeId, place }) => assigneeId === viewer.id && isThere(place));
}

test('organizations, sites and products are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const { prisma } = database;
      await sameIds(
        viewer,
        (one) => prisma.organization.findMany({ where: visibleOrganizations(one), select }),
        organizations
          .filter(
            (id) =>
              seesOrganization(relationsToOrganization(viewer, id)) ||
              worksAt(viewer, ({ site }) => site.organizationId === id),
          )
          .map((id) => ({ id })),
      );
      const known = sites.filter(
        (site) =>
          seesOrganization(relationsToSite(viewer, site)) || worksAt(viewer, (place) => place.site === site),
      );
      await sameIds(viewer, (one) => prisma.site.findMany({ where: visibleSites(one), select }), known);
      await sameIds(
        viewer,
        (one) => prisma.product.findMany({ where: visibleProducts(one), select }),
        places.filter(({ site }) => known.includes(site)).map(({ product }) => product),
      );
    }),
    runs,
  );
});

test('tickets, grants and change requests are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const { prisma } = database;
      const knownBy = (sees: typeof seesTicket) =>
        tickets.filter((ticket) => sees(relationsToTicket(viewer, ticket, ticket.place, ticket.approverId)));
      await sameIds(
        viewer,
        (one) => prisma.ticket.findMany({ where: visibleTickets(one), select }),
        knownBy(seesTicket),
      );
      await sameIds(
        viewer,
        (one) => prisma.grant.findMany({ where: visibleGrants(one), select }),
        knownBy(seesGrants).map(({ grantId }) => ({ id: grantId })),
      );
      const [ticketWays, grantWays] = [waysToSeeTickets(viewer), waysToSeeGrants(viewer)];
      if (ticketWays !== null)
        expect(await listVisibleTicketIds(database.pool, ticketWays, {}, everyId)).toEqual(
          knownBy(seesTicket)
            .map(({ id }) => id)
            .sort(),
        );
      if (grantWays !== null)
        expect(await listVisibleIds(database.pool, 'grants', grantWays, {}, everyId)).toEqual(
          knownBy(seesGrants)
            .map(({ grantId }) => grantId)
            .sort(),
        );
      if (grantWays !== null) {
        const { pool } = database;
        const others = ownConsents(viewer);
        const listed = await listVisibleIds(pool, 'change_requests', grantWays, {}, everyId, others);
        const visible = { where: visibleChangeRequests(viewer), orderBy: { id: 'asc' as const }, select };
        expect(listed).toEqual((await prisma.changeRequest.findMany(visible)).map(({ id }) => id));
      }
      await sameIds(
        viewer,
        (one) => prisma.ticket.findMany({ where: visibleTimelines(one), select }),
        knownBy(seesGrants),
      );
      await sameIds(
        viewer,
        (one) => prisma.changeRequest.findMany({ where: visibleChangeRequests(one), select }),
        tickets
          .filter((ticket) =>
            [ticket.approverId, ticket.consenterId].some((id) =>
              seesGrants(relationsToTicket(viewer, ticket, ticket.place, id)),
            ),
          )
          .map(({ changeId }) => ({ id: changeId })),
      );
    }),
    runs,
  );
});

const seenSessions = (viewer: Viewer) =>
  database.prisma.supportSession.findMany({ where: visibleSupportSessions(viewer), select });

test('support sessions are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const ways = waysToSeeSessions(viewer);
      if (ways !== null) {
        const listed = await listVisibleIds(database.pool, 'support_sessions', ways, {}, everyId);
        await sameIds(viewer, async () => listed.map((id) => ({ id })), await seenSessions(viewer));
      }
      await sameIds(
        viewer,
        (one) => seenSessions(one),
        sessions.filter(({ ticket, ...session }) =>
          seesSession(relationsToSession(viewer, session, ticket, ticket.place, ticket.approverId)),
        ),
      );
    }),
    runs,
  );
});

test('a viewer who sees who has access to a site sees every grant on it', () => {
  let seen = 0;
  fc.assert(
    fc.property(anybody, fc.constantFrom(...tickets), (viewer, ticket) => {
      const { place, approverId } = ticket;
      if (!seesActiveAccess(relationsToSite(viewer, place.site))) return;
      seen += 1;
      expect(seesGrants(relationsToTicket(viewer, ticket, place, approverId))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(seen).toBeGreaterThan(200);
});

test('accounts and roles are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const { prisma } = database;
      const everybody = [
        ...users.map((one) => ({ ...one, kind: 'USER' as const })),
        ...engineers.map((id) => ({ id, kind: 'SUPPORT_ENGINEER' as const, organizationIds: [] })),
        ...services.map((id) => ({ id, kind: 'SERVICE_ACCOUNT' as const, organizationIds: [] })),
      ];
      await sameIds(
        viewer,
        (one) => prisma.account.findMany({ where: visibleAccounts(one), select }),
        everybody.filter(
          (account) => seesAccount(relationsToAccount(viewer, account)) || isWorkedWithBy(viewer, account),
        ),
      );
      await sameIds(
        viewer,
        (one) => prisma.roleAssignment.findMany({ where: visibleRoleAssignments(one), select }),
        held.filter(({ accountId, organizationId }) =>
          seesAccount(relationsToAccount(viewer, { id: accountId, organizationIds: [organizationId] })),
        ),
      );
    }),
    runs,
  );
});

/** Whether a service account or an analyst has to know the account by name, for what they do in the organizations they serve. */
function isWorkedWithBy(viewer: Viewer, { id, kind, organizationIds }: Someone): boolean {
  const served =
    viewer.kind === 'COMPLIANCE_ANALYST'
      ? { organizationId: null, capabilities: ['AUDIT_READING'] }
      : viewer.kind === 'SERVICE_ACCOUNT'
        ? viewer
        : null;
  if (served === null || kind === 'SERVICE_ACCOUNT') return false;
  const serves = (one: string) => served.organizationId === null || served.organizationId === one;
  const has = (...any: ServiceCapability[]) => any.some((one) => served.capabilities.includes(one));
  if (kind === 'USER') return has('TICKETING', 'AUDIT_READING') && organizationIds.some(serves);
  const granted = tickets.filter(({ assigneeId }) => assigneeId === id);
  const isOfItsGrants = granted.some(({ place }) => serves(place.site.organizationId));
  return has('TICKETING') || (has('GRANT_WATCHING', 'AUDIT_READING') && isOfItsGrants);
}

type Someone = { id: string; kind: Viewer['kind']; organizationIds: readonly string[] };

test('proposed changes are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      await sameIds(
        viewer,
        (one) => database.prisma.proposedChange.findMany({ where: visibleProposedChanges(one), select }),
        changes.filter((change) => seesProposedChange(relationsToProposedChange(viewer, change))),
      );
    }),
    runs,
  );
});

test('events of ticketing systems are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const known = inboundEvents.filter((event) =>
        seesInboundTicketEvent(relationsToInboundTicketEvent(viewer, event)),
      );
      await sameIds(
        viewer,
        (one) =>
          database.prisma.inboundTicketEvent.findMany({ where: visibleInboundTicketEvents(one), select }),
        known,
      );
    }),
    runs,
  );
});

test('deletions are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const known = deletions.filter((deletion) => seesDeletion(relationsToDeletion(viewer, deletion)));
      await sameIds(
        viewer,
        (one) => database.prisma.rovoDataDeletion.findMany({ where: visibleDeletions(one), select }),
        known,
      );
      if (known.length > 0) expect(may('rovoDataDeletions', relationsToPlatform(viewer))).toBe(true);
    }),
    runs,
  );
});

test('invitations are listed for the viewers to whom the relations make them visible', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const known = invitations.filter((one) => seesInvitation(relationsToInvitation(viewer, one)));
      await sameIds(
        viewer,
        (one) => database.prisma.invitation.findMany({ where: visibleInvitations(one), select }),
        known,
      );
    }),
    runs,
  );
});

test('a viewer sees the streams of the audit logs that they may see by their relations', async () => {
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const known = auditStreams.filter(({ organizationId }) =>
        seesAuditStream(relationsToGuardedOrganization(viewer, organizationId)),
      );
      await sameIds(
        viewer,
        (one) => database.prisma.auditStream.findMany({ where: visibleAuditStreams(one), select }),
        known,
      );
    }),
    runs,
  );
});

test('audit entries are listed, found and delivered only for viewers who may use auditLog', async () => {
  const readers: Relation[] = [
    ...(['OPERATOR', 'COMPLIANCE_ANALYST', 'AUDIT_READING'] as const),
    ...(['ORGANIZATION_ADMIN', 'GUARD_ADMIN', 'AUDITOR'] as const),
  ];
  await fc.assert(
    fc.asyncProperty(anybody, async (viewer) => {
      const known = entries.filter(({ organizationId, siteId, actorId }) => {
        // Entries that belong to no organization are only for viewers who may read every organization's log.
        if (organizationId === null)
          return viewer.kind === 'SERVICE_ACCOUNT'
            ? viewer.organizationId === null && viewer.capabilities.includes('AUDIT_READING')
            : viewer.kind === 'OPERATOR' || viewer.kind === 'COMPLIANCE_ANALYST';
        if (viewer.kind === 'SUPPORT_ENGINEER') return actorId === viewer.id;
        const relations = relationsToSite(viewer, { id: siteId ?? 'none', organizationId });
        return readers.some((reader) => relations.has(reader));
      });
      await sameIds(
        viewer,
        // Within an AND, as reads have it.
        (one) =>
          database.prisma.auditEntry.findMany({ where: { AND: [visibleAuditEntries(one), {}] }, select }),
        known,
      );
      // As searches find them, and as a subscription checks each of them again.
      const everything = { values: {}, from: null, until: null };
      await sameIds(
        viewer,
        async (one) =>
          (await searchAuditEntries(database.pool, placesOfAuditEntries(one), everything, everyId)).rows,
        known,
      );
      expect(entries.filter((entry) => seesAuditEntry(viewer, entry))).toEqual(known);
      if (known.length > 0) expect(may('auditLog', relationsToPlatform(viewer))).toBe(true);
    }),
    runs,
  );
});

test('a viewer who may receive an event of a grant sees the grant, may subscribe, and has one of its topics', () => {
  let heard = 0;
  fc.assert(
    fc.property(anybody, fc.constantFrom(...tickets), (viewer, ticket) => {
      const { place, reporterId, assigneeId, approverId } = ticket;
      const event: GrantEventEnvelope = {
        ...{ id: newId(), kind: grantKind, type: 'REQUESTED', occurredAt: new Date(), grantVersion: 1 },
        ...{ ticketId: ticket.id, grantId: ticket.grantId, grant: toRow(pendingApproval()) },
        audience: {
          ...{ organizationId: place.site.organizationId, siteId: place.site.id, reporterId },
          engineerIds: assigneeId === null ? [] : [assigneeId],
        },
      };
      if (!mayReceive(viewer, event.audience)) return;
      heard += 1;
      expect(seesGrants(relationsToTicket(viewer, ticket, place, approverId))).toBe(true);
      expect(may('grantEvents', relationsToPlatform(viewer))).toBe(true);
      expect(may('sessionEvents', relationsToPlatform(viewer))).toBe(true);
      expect(may('changeRequestEvents', relationsToPlatform(viewer))).toBe(true);
      expect(concerns(topicsFor(viewer), grantKind.topicsOf(event))).toBe(true);
    }),
    { numRuns: 5_000 },
  );
  expect(heard).toBeGreaterThan(500);
});
