/** Two customers whose texts and ids can be told apart, and random people of both. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { type Role, roleRules } from '../../src/roles/role.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import {
  attempt,
  done,
  type ProductKey,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';
import { globalId, rawId } from './authorization-people.ts';
import type { Things } from './tenancy-documents.ts';

export type CustomerName = 'acme' | 'globex';
export const customers: readonly CustomerName[] = ['acme', 'globex'];

export function otherThan(name: CustomerName): CustomerName {
  return name === 'acme' ? 'globex' : 'acme';
}

/** Starts a gateway on a database that is filled so that the texts of each customer's people, sites, tickets and grants contain its name. */
export async function startGatewayWithMarkedWorld(): Promise<{ gateway: TestGateway; world: World }> {
  const { gateway, world } = await startGatewayWithWorld({ maintenance: false });
  const { sql } = gateway;
  await sql.query(`UPDATE accounts SET name = split_part(split_part(email, '@', 2), '.', 1) || ' ' || name`);
  await sql.query(
    `UPDATE sites SET name = o.name || ' ' || sites.name, data_residency_region = o.name || '-region'
       FROM organizations o WHERE o.id = organization_id`,
  );
  await sql.query(`UPDATE products SET name = s.name || ' ' || key FROM sites s WHERE s.id = site_id`);
  const engineer = await gateway.as(world.engineer.email);
  for (const customer of customers) await fillTickets(gateway, world, customer, engineer);
  return { gateway, world };
}

async function fillTickets(gateway: TestGateway, world: World, customer: CustomerName, engineer: Person) {
  const { sites, emails } = world[customer];
  const reporter = await gateway.as(emails.reporter);
  const admin = await gateway.as(emails.organizationAdmin);
  const reason = `${customer}'s reason`;
  const restricted = { siteId: sites.restricted.id, restricted: false };
  await done(admin, 'setSupportAccessRestrictions', restricted);
  const { organizationId } = world[customer];
  await done(admin, 'requestRovoDataDeletion', { organizationId, reason });
  const invited = { email: `invited@${customer}.example`, name: `${customer} invited` };
  await done(admin, 'inviteUser', { organizationId, ...invited });
  const endpointUrl = `https://siem.${customer}.example/`;
  await done(admin, 'createAuditStream', { organizationId, name: `${customer} stream`, endpointUrl });
  for (const site of Object.keys(sites) as SiteName[]) {
    for (const product of ['jira', 'confluence'] as ProductKey[]) {
      const { id: ticketId } = await done(reporter, 'createTicket', {
        productId: sites[site].products[product],
        summary: `${customer}'s board is slow`,
        grantDataAccess: true,
      });
      if (site === 'deactivated') continue;
      await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
      // A person with the wrong role, so that the audit log has a refusal with obstacles.
      await attempt(await gateway.as(emails.unsyncedAdmin), 'approveDataAccess', { ticketId, reason });
      const { id: grantId, state } = await done(admin, 'approveDataAccess', { ticketId, reason });
      const use = { grantId, reason: 'GATHER_LOGS', note: `${customer}'s logs`, country: 'DE' };
      if (state === 'ACTIVE') await done(engineer, 'startSupportSession', use);
      await done(engineer, 'requestDataAccess', {
        ...{ ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: [`${customer}-conversation`] },
        justification: `${customer}'s chats`,
      });
      const { id: changeRequestId } = await done(engineer, 'requestChange', {
        ...{ ticketId, kind: 'PERMISSIONS', resourceType: 'project', resourceId: `${customer}-project` },
        ...{ description: `${customer}'s browsers`, justification: `${customer}'s board cannot be opened` },
        validUntil: new Date(Date.now() + 86_400_000).toISOString(),
      });
      if (product === 'jira') await done(admin, 'consentToChange', { changeRequestId, reason });
    }
  }
}

/** Random people of a customer, with any roles over any of its places. */
export async function addRandomPeople(
  gateway: TestGateway,
  world: World,
  customer: CustomerName,
  { count, seed }: { count: number; seed: number },
): Promise<Person[]> {
  const { sites, organizationId } = world[customer];
  const anyRole = fc.record({
    role: fc.constantFrom(...(Object.keys(roleRules) as Role[])),
    site: fc.constantFrom(...(Object.keys(sites) as SiteName[])),
    product: fc.constantFrom<ProductKey>('jira', 'confluence'),
    origin: fc.constantFrom('DIRECT', 'DIRECT', 'SCIM'),
    wide: fc.boolean(),
  });
  const drawn = fc.sample(fc.array(anyRole, { maxLength: 3 }), { numRuns: count, seed });
  const people: Person[] = [];
  for (const [index, roles] of drawn.entries()) {
    const email = `random${index}@${customer}.example`;
    const { id } = await done(world.operator, 'addUser', {
      organizationId,
      email,
      name: `${customer} ${index}`,
    });
    for (const { role, site, product, origin, wide } of roles) {
      const { covers } = roleRules[role];
      const needsSite = covers !== 'ORGANIZATION' && !(covers === 'ORGANIZATION_OR_SITE' && wide);
      const needsProduct = covers === 'PRODUCT' || (covers === 'LISTING' && !wide);
      await attempt(world.admins[customer], 'assignRole', {
        ...{ userId: id, role, organizationId, origin },
        ...(needsSite ? { siteId: sites[site].id } : {}),
        ...(needsProduct ? { productId: sites[site].products[product] } : {}),
      });
    }
    people.push(await gateway.as(email));
  }
  return people;
}

/** The database ids of everything that belongs to a customer, by its type in the API. */
export async function listPossessions(
  { sql }: TestGateway,
  organizationId: string,
): Promise<Record<string, string[]>> {
  const { rows } = await sql.query<{ type: string; id: string }>(
    `WITH s AS (SELECT id FROM sites WHERE organization_id = $1),
          t AS (SELECT id, key FROM tickets WHERE site_id IN (SELECT id FROM s)),
          g AS (SELECT id FROM grants WHERE ticket_id IN (SELECT id FROM t))
     SELECT 'Organization' AS type, $1::text AS id
     UNION ALL SELECT 'Site', id::text FROM s
     UNION ALL SELECT 'Product', id::text FROM products WHERE site_id IN (SELECT id FROM s)
     UNION ALL SELECT 'Ticket', id::text FROM t
     UNION ALL SELECT 'Grant', id::text FROM g
     UNION ALL SELECT 'SupportSession', id::text FROM support_sessions WHERE organization_id = $1
     UNION ALL SELECT 'Decision', id::text FROM decisions WHERE grant_id IN (SELECT id FROM g)
     UNION ALL SELECT 'ChangeRequest', id::text FROM change_requests WHERE organization_id = $1
     UNION ALL SELECT 'User', account_id::text FROM memberships WHERE organization_id = $1
     UNION ALL SELECT 'ServiceAccount', id::text FROM accounts WHERE organization_id = $1
     UNION ALL SELECT 'RoleAssignment', id::text FROM role_assignments WHERE organization_id = $1
     UNION ALL SELECT 'ProposedChange', id::text FROM proposed_changes WHERE organization_id = $1
     UNION ALL SELECT 'InboundTicketEvent', id::text FROM inbound_ticket_events
       WHERE integration_id IN (SELECT id FROM accounts WHERE organization_id = $1)
     UNION ALL SELECT 'TimelineItem', id::text FROM audit_entries WHERE ticket_id IN (SELECT id FROM t)
     UNION ALL SELECT 'RovoDataDeletion', id::text FROM rovo_data_deletions WHERE organization_id = $1
     UNION ALL SELECT 'AuditStream', id::text FROM audit_streams WHERE organization_id = $1
     UNION ALL SELECT 'Invitation', id::text FROM invitations WHERE organization_id = $1
     UNION ALL SELECT 'AuditEntry', id::text FROM audit_entries WHERE organization_id = $1`,
    [rawId(organizationId)],
  );
  return Object.fromEntries(
    Object.entries(Object.groupBy(rows, ({ type }) => type)).map(([type, ofType = []]) => [
      type,
      ofType.map(({ id }) => id),
    ]),
  );
}

/** The values that random operations use: mostly ids, texts and cursors of the other customer. */
export async function thingsToName(
  gateway: TestGateway,
  world: World,
  possessions: Record<CustomerName, Record<string, string[]>>,
  own: CustomerName,
): Promise<Things> {
  const other = otherThan(own);
  const engineers = [world.engineer.id, world.otherEngineer.id];
  const ids: Record<string, string[]> = { SupportEngineer: engineers };
  for (const type of Object.keys(possessions[other])) {
    if (type === 'Decision') continue;
    const global = (owner: CustomerName) => (possessions[owner][type] ?? []).map((id) => globalId(type, id));
    const theirs = global(other);
    ids[type] = [...theirs, ...theirs, ...global(own)];
  }
  ids['Ticket']?.push(globalId('Ticket', newId()));
  const admin = await gateway.as(world[other].emails.organizationAdmin);
  const { rows } = await gateway.sql.query<{ key: string }>('SELECT key FROM tickets');
  return {
    ids,
    texts: {
      key: [...rows.map(({ key }) => key), 'jira'],
      url: Object.values(world[other].sites).map((site) => site.url),
      email: Object.values(world[other].emails),
      reporterEmail: Object.values(world[other].emails),
      ...{ engineerEmail: [world.engineer.email, world.otherEngineer.email] },
      ...{ ticketKey: rows.map(({ key }) => key), productKey: ['jira', 'confluence'] },
      siteUrl: Object.values(world[other].sites).map((site) => site.url),
      ...{ externalId: ['external'], integration: [`program@${other}.example`] },
      ...{ actorEmail: Object.values(world[other].emails), actorEmails: Object.values(world[other].emails) },
      ...{ text: [other, `${other} 1`, 'slow'], productKeys: ['jira', 'confluence'] },
      action: ['GRANT_APPROVE', 'TICKET_CREATE', 'ROLE_ASSIGN', 'SITE_DEACTIVATE'],
      ...{ name: [`${own} name`], summary: [`${own} summary`], reason: [`${own} reason`] },
      ...{ description: [`${own} description`], note: [`${own} note`] },
      ...{ resourceType: ['project'], resourceId: [`${own}-project`] },
      ...{ country: ['DE'], evaluatedProducts: ['jira', 'rovo'] },
      ...{ justification: [`${own} justification`], conversationIds: [`${own}-conversation`] },
      ...{ idempotencyKey: ['once', 'twice'], dataResidencyRegion: [`${own}-region`] },
      engineerCountries: ['DE', 'IE'],
      endpointUrl: [`https://siem.${own}.example/own`],
      ...{ actorEmailPrefixes: [`@${other}.`, 'organization'], clientAddresses: ['127.0.0.1', '::/1'] },
      ...{ refusalCodes: ['NOT_ELIGIBLE', 'FORBIDDEN'], resourceTypes: ['Grant', 'Site', 'User'] },
      ...{ ticketKeys: rows.map(({ key }) => key), timeZone: ['UTC', 'Europe/Berlin'] },
    },
    cursors: await stealCursors(admin),
  };
}

/** A cursor of every list, root or nested, that the other customer's admin received. */
async function stealCursors(admin: Person): Promise<Record<string, string[]>> {
  const page = (selection = '') => `(first: 3) { edges { cursor ${selection} } }`;
  const answer: Json = await admin.ask(`{
    organizations${page(
      `node { proposedChanges${page()} invitations${page()} auditStreams${page()} rovoDataDeletions${page()} sites${page(
        `node { products${page()} activeAccess${page()} tickets${page(
          `node { grants${page(`node { sessions${page()} }`)} supportSessions${page()}
             changeRequests${page()} timeline${page()}
             accessEligibility { eligibleGrantors${page()} } }`,
        )} }`,
      )} }`,
    )}
    rovoDataDeletions${page()} sites${page()} tickets${page()} grants${page()} changeRequests${page()} roleAssignments${page()} accounts${page()} auditLog${page()}
    supportSessions${page(`node { actions${page()} }`)}
  }`);
  const all = [...JSON.stringify(answer).matchAll(/"cursor":"([^"]+)"/g)].map((match) => match[1] ?? '');
  const listOf = (cursor: string) => Buffer.from(cursor, 'base64url').toString().split(':')[0] ?? '';
  const byList = Map.groupBy(all, listOf);
  expect(byList.size).toBe(25);
  return { ...Object.fromEntries(byList), '': all };
}

/**
 * Returns what a text shows of the other customer: its name, or the id of one of its objects in any encoding. The name
 * must be a word of its own, because it may occur by chance within a cursor.
 */
export function findTraces(text: string, other: CustomerName, ids: ReadonlySet<string>): string[] {
  const names = text.match(new RegExp(`.{0,60}(?<![a-z0-9])${other}(?![a-z0-9]).{0,60}`, 'gi')) ?? [];
  const decoded = (text.match(/[\w+/=-]{24,}/g) ?? []).map((token) =>
    Buffer.from(token, 'base64').toString(),
  );
  const uuids = [text, ...decoded].flatMap(
    (part) => part.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [],
  );
  return [...names, ...uuids.filter((id) => ids.has(id))];
}
