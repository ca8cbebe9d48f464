/** A deployment starts empty and is filled through the API: what each mutation creates, refuses and ends. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { globalId } from '../support/rows.ts';
import {
  assignRole,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

describe('an empty deployment', () => {
  test('has its first operator and nothing else', async () => {
    await using gateway = await startGateway({ config: { bootstrapOperatorEmail: 'first@vendor.example' } });
    const operator = await gateway.as('first@vendor.example');
    expect(
      await operator.ask(`{ accounts { edges { node { email kind } } } organizations { edges { node { id } } }
        sites { edges { node { id } } } tickets { edges { node { id } } } auditLog { edges { node { action actor { kind } } } } }`),
    ).toEqual({
      accounts: { edges: [{ node: { email: 'first@vendor.example', kind: 'OPERATOR' } }] },
      organizations: { edges: [] },
      sites: { edges: [] },
      tickets: { edges: [] },
      auditLog: {
        edges: [
          { node: { action: 'ACCOUNT_BIND_SUBJECT', actor: { kind: 'OPERATOR' } } },
          { node: { action: 'ACCOUNT_ADD_OPERATOR', actor: { kind: 'SYSTEM' } } },
        ],
      },
    });
  });

  test('has no account without a configured first operator, and gets no second one later', async () => {
    await using first = await startGateway({ config: { bootstrapOperatorEmail: 'first@vendor.example' } });
    const { databaseUrl } = first;
    await using second = await startGateway({
      databaseUrl,
      config: { bootstrapOperatorEmail: 'second@vendor.example' },
    });
    await expect(second.as('second@vendor.example')).rejects.toThrow('404');
    await using without = await startGateway({ config: { bootstrapOperatorEmail: null } });
    await expect(without.as('operator@vendor.example')).rejects.toThrow('404');
  });

  test('is filled through the API, up to an engineer who has access', async () => {
    await using gateway = await startGateway();
    const operator = await gateway.as('operator@vendor.example');
    const organization = await done(operator, 'createOrganization', { name: 'Acme' });
    const organizationId = organization.id;
    const site = await done(operator, 'createSite', {
      ...{ organizationId, url: 'https://acme.example/', name: 'Acme', experience: 'ORIGINAL' },
      dataResidencyRegion: 'EU',
    });
    const product = await done(operator, 'licenseProduct', { siteId: site.id, key: 'jira', name: 'Jira' });
    const user = await done(operator, 'addUser', { organizationId, email: 'Ada@Acme.example', name: 'Ada' });
    const role = { userId: user.id, organizationId, siteId: site.id, productId: product.id };
    await done(operator, 'assignRole', { ...role, role: 'TRUSTED_USER' });
    const engineer = await done(operator, 'addSupportEngineer', {
      email: 'erin@vendor.example',
      name: 'Erin',
    });

    const ada = await gateway.as('ada@acme.example');
    const consent = { productId: product.id, summary: 'It is slow', grantDataAccess: true };
    const { id: ticketId } = await done(ada, 'createTicket', consent);
    await done(operator, 'assignTicket', { ticketId, engineerId: engineer.id });
    const erin = await gateway.as('erin@vendor.example');
    expect(
      await erin.ask(
        `{ grants { edges { node { state path ticket { product { key isLicensed } site { url experience dataResidencyRegion status
          supportAccessRestricted supportAccessPolicy { requestWaitSeconds maxGrantSeconds samePersonMayApproveTwice relayedConsentCounts
            dataResidencyPinned engineerCountries sessionIdleSeconds maxSessionSeconds }
          organization { name hasGuard } } reporter { email name } } engineer { email } } } } }`,
      ),
    ).toEqual({
      grants: {
        edges: [
          {
            node: {
              state: 'ACTIVE',
              path: 'TICKET_CREATION',
              engineer: { email: 'erin@vendor.example' },
              ticket: {
                product: { key: 'jira', isLicensed: true },
                reporter: { email: 'ada@acme.example', name: 'Ada' },
                site: {
                  ...{ url: 'https://acme.example', experience: 'ORIGINAL', dataResidencyRegion: 'EU' },
                  ...{ status: 'ACTIVE', supportAccessRestricted: false },
                  supportAccessPolicy: {
                    ...{ requestWaitSeconds: 1_209_600, maxGrantSeconds: null },
                    samePersonMayApproveTwice: false,
                    relayedConsentCounts: true,
                    ...{ dataResidencyPinned: false, engineerCountries: [] },
                    ...{ sessionIdleSeconds: 1_800, maxSessionSeconds: 28_800 },
                  },
                  organization: { name: 'Acme', hasGuard: false },
                },
              },
            },
          },
        ],
      },
    });
  });
});

describe('a filled deployment', () => {
  let gateway: TestGateway;
  let world: World;
  let operator: Person;
  let organizationId: string;
  const nowhere = (type: string) => globalId(type, newId());
  let count = 0;
  const fresh = (domain = 'acme.example') => `fresh-${++count}@${domain}`;

  beforeAll(async () => {
    ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
    operator = world.operator;
    organizationId = world.acme.organizationId;
  });
  afterAll(() => gateway.dispose());

  async function addMember(email = fresh()): Promise<{ id: string; email: string }> {
    const { id } = await done(operator, 'addUser', { organizationId, email, name: 'Fresh' });
    return { id, email };
  }
  async function newSite(more: Record<string, unknown> = {}): Promise<{ id: string; productId: string }> {
    const url = `https://fresh-${++count}.example`;
    const { id } = await done(operator, 'createSite', { organizationId, url, name: 'Fresh', ...more });
    return {
      id,
      productId: (await done(operator, 'licenseProduct', { siteId: id, key: 'jira', name: 'Jira' })).id,
    };
  }
  const rolesOf = async (userId: string): Promise<Json[]> => {
    const { roleAssignments } = await operator.ask(
      `query ($userId: ID!) { roleAssignments(filter: { userId: $userId }) { edges { node { id role syncState origin } } } }`,
      { userId },
    );
    return roleAssignments.edges.map(({ node }: Json) => node);
  };
  const invalid = (path: string) => ({ code: 'INVALID_INPUT', fields: [{ path }] });

  test('a URL belongs to one site', async () => {
    const { url } = world.acme.sites.main;
    for (const same of [`${url.toUpperCase()}/`, `${url}:443`, `${url}.`]) {
      for (const owner of [organizationId, world.globex.organizationId]) {
        expect(
          await attempt(operator, 'createSite', { organizationId: owner, url: same, name: 'Again' }),
        ).toMatchObject({ code: 'ALREADY_EXISTS', message: expect.stringContaining(url) });
      }
      const { site } = await operator.ask('query ($url: String!) { site(url: $url) { url } }', { url: same });
      expect(site).toEqual({ url });
    }
    expect(
      await attempt(operator, 'createSite', {
        organizationId: nowhere('Organization'),
        url: 'https://x.example',
        name: 'X',
      }),
    ).toMatchObject({ code: 'NOT_FOUND' });
    for (const wrong of ['http://x.example', 'https://x.example/path', 'x.example', 'https://']) {
      expect(
        await attempt(operator, 'createSite', { organizationId, url: wrong, name: 'X' }),
        wrong,
      ).toMatchObject(invalid('input.url'));
    }
  });

  test('a name is stored as people see it', async () => {
    const { id } = await done(operator, 'addSupportEngineer', {
      ...{ email: fresh('vendor.example'), name: ' Re\u0301n\u200be\u202e \ufeff' },
    });
    const { node } = await operator.ask(`{ node(id: "${id}") { ... on SupportEngineer { name } } }`);
    expect(node).toEqual({ name: 'Réne' });
  });

  test('of two simultaneous sites with one URL, one is created', async () => {
    const url = `https://fresh-${++count}.example`;
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => attempt(operator, 'createSite', { organizationId, url, name: 'Once' })),
    );
    expect(answers.filter(({ id }) => id !== undefined)).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'ALREADY_EXISTS')).toHaveLength(4);
  });

  test('licensing a product again licenses and renames the existing product', async () => {
    const { id: siteId, productId } = await newSite();
    const license = (name: string) => done(operator, 'licenseProduct', { siteId, key: 'jira', name });
    expect(await license('Jira Cloud')).toMatchObject({ id: productId });
    await done(operator, 'unlicenseProduct', { productId });
    expect(await license('Jira')).toMatchObject({ id: productId });
    const { node } = await operator.ask(
      `{ node(id: "${productId}") { ... on Product { name isLicensed } } }`,
    );
    expect(node).toEqual({ name: 'Jira', isLicensed: true });
    expect(
      await attempt(operator, 'licenseProduct', { siteId: nowhere('Site'), key: 'jira', name: 'Jira' }),
    ).toMatchObject({ code: 'NOT_FOUND' });
    expect(await attempt(operator, 'licenseProduct', { siteId, key: 'Jira!', name: 'Jira' })).toMatchObject(
      invalid('input.key'),
    );
  });

  test('the end of a licence ends the open grants for the product, and none for another', async () => {
    const { id: siteId, productId } = await newSite();
    const other = await done(operator, 'licenseProduct', { siteId, key: 'confluence', name: 'Confluence' });
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const file = async (product: string, grantDataAccess: boolean) => {
      const input = { productId: product, summary: 'Slow', grantDataAccess };
      const { id } = await done(admin, 'createTicket', input);
      await done(operator, 'assignTicket', { ticketId: id, engineerId: world.engineer.id });
      return id as string;
    };
    const [active, pending, elsewhere] = [
      await file(productId, true),
      await file(productId, false),
      await file(other.id, true),
    ];
    expect(await attempt(operator, 'unlicenseProduct', { productId })).toMatchObject({ id: productId });
    expect(await attempt(operator, 'unlicenseProduct', { productId })).toMatchObject({
      code: 'PRODUCT_NOT_LICENSED',
    });
    expect(await attempt(operator, 'unlicenseProduct', { productId: nowhere('Product') })).toMatchObject({
      code: 'NOT_FOUND',
    });
    const grantOf = async (ticketId: string) => {
      const { node } = await admin.ask(
        `{ node(id: "${ticketId}") { ... on Ticket { grants(first: 1) { edges { node { state endReason } } } } } }`,
      );
      return node.grants.edges[0].node;
    };
    expect(await grantOf(active)).toEqual({ state: 'ENDED', endReason: 'PRODUCT_UNLICENSED' });
    expect(await grantOf(pending)).toEqual({ state: 'WITHDRAWN', endReason: 'PRODUCT_UNLICENSED' });
    expect(await grantOf(elsewhere)).toEqual({ state: 'ACTIVE', endReason: null });
    const engineer = await gateway.as(world.engineer.email);
    const request = () => attempt(engineer, 'requestDataAccess', { ticketId: active });
    expect(await request()).toMatchObject({ code: 'PRODUCT_NOT_LICENSED' });
    await done(operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
    expect(await grantOf(active)).toMatchObject({ state: 'ENDED' });
    expect(await request()).toMatchObject({ state: 'PENDING_APPROVAL' });
  });

  test('an email belongs to one account of one kind', async () => {
    const { reporter } = world.acme.emails;
    for (const [name, more] of [
      ['addSupportEngineer', {}],
      ['addOperator', {}],
      ['addComplianceAnalyst', {}],
      ['addServiceAccount', { capabilities: ['TICKETING'] }],
    ] as const) {
      const email = fresh('vendor.example');
      const taken = [reporter.toUpperCase(), world.engineer.email, email.toUpperCase()];
      await done(operator, name, { email, name: 'New', ...more });
      for (const used of taken) {
        expect(
          await attempt(operator, name, { email: used, name: 'Again', ...more }),
          `${name} ${used}`,
        ).toMatchObject({
          code: 'ALREADY_EXISTS',
          message: expect.stringContaining(used.toLowerCase()),
        });
      }
      expect(await attempt(operator, 'addUser', { organizationId, email, name: 'Again' })).toMatchObject({
        code: 'ALREADY_EXISTS',
        message: expect.stringContaining('another kind'),
      });
      expect(await attempt(operator, name, { email: 'nobody', name: 'New', ...more })).toMatchObject(
        invalid('input.email'),
      );
    }
    expect(
      await attempt(operator, 'addUser', { organizationId, email: reporter, name: 'Again' }),
    ).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('member'),
    });
  });

  test('a service account needs capabilities, and an organization that exists if it is bound to one', async () => {
    const service = { email: fresh('vendor.example'), name: 'Service' };
    expect(await attempt(operator, 'addServiceAccount', { ...service, capabilities: [] })).toMatchObject(
      invalid('input.capabilities'),
    );
    expect(
      await attempt(operator, 'addServiceAccount', {
        ...{ ...service, capabilities: ['TICKETING'], organizationId: nowhere('Organization') },
      }),
    ).toMatchObject(invalid('input.organizationId'));
    const capabilities = ['AUDIT_READING', 'TICKETING', 'AUDIT_READING'];
    await done(operator, 'addServiceAccount', { ...service, capabilities });
    const { viewer } = await (await gateway.as(service.email)).ask('{ viewer { kind capabilities } }');
    expect(viewer).toEqual({ kind: 'SERVICE_ACCOUNT', capabilities: ['AUDIT_READING', 'TICKETING'] });
  });

  test('a service account that evaluates access names its products, and no other does', async () => {
    const service = () => ({ email: fresh('vendor.example'), name: 'Backend' });
    const evaluates = { capabilities: ['GRANT_WATCHING', 'ACCESS_EVALUATION'] };
    for (const [more, problem] of [
      [evaluates, 'must name at least one product'],
      [{ ...evaluates, evaluatedProducts: [] }, 'must name at least one product'],
      [{ ...evaluates, evaluatedProducts: ['Jira'] }, 'lower case'],
      [{ ...evaluates, evaluatedProducts: Array(101).fill('jira') }, 'at most 100'],
      [{ capabilities: ['GRANT_WATCHING'], evaluatedProducts: ['jira'] }, 'must be empty without'],
    ] as const) {
      expect(await attempt(operator, 'addServiceAccount', { ...service(), ...more })).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(problem),
      });
    }
    const evaluatedProducts = ['jira', 'jira-service-management', 'jira'];
    const { id } = await done(operator, 'addServiceAccount', {
      ...service(),
      ...evaluates,
      evaluatedProducts,
    });
    const { node } = await operator.ask(
      `{ node(id: "${id}") { ... on ServiceAccount { capabilities evaluatedProducts } } }`,
    );
    expect(node).toEqual({ ...evaluates, evaluatedProducts: ['jira', 'jira-service-management'] });
  });

  test('a user of one organization may be added to another, with the same account', async () => {
    const { id, email } = await addMember();
    const again = { organizationId: world.globex.organizationId, email, name: 'Another name' };
    expect(await done(operator, 'addUser', again)).toMatchObject({ __typename: 'User', id });
    const { viewer } = await (await gateway.as(email)).ask(
      '{ viewer { account { name } organizations { id } } }',
    );
    expect(viewer.account.name).toBe('Fresh');
    expect(viewer.organizations.map((one: Json) => one.id).sort()).toEqual(
      [organizationId, world.globex.organizationId].sort(),
    );
    expect(
      await attempt(operator, 'addUser', { ...again, organizationId: nowhere('Organization') }),
    ).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a user who is removed from an organization loses their roles in it, and keeps those in others', async () => {
    const { id: userId, email } = await addMember();
    await assignRole(world, { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
    const there = { organizationId: world.globex.organizationId };
    await done(operator, 'addUser', { ...there, email, name: 'Fresh' });
    await assignRole(world, { ...there, userId, role: 'GUARD_ADMIN' });
    const { ticketId } = await fileTicket(gateway, world);
    const leaver = await gateway.as(email);
    const sees = async () => (await leaver.ask(`{ node(id: "${ticketId}") { id } }`)).node !== null;
    expect(await sees()).toBe(true);

    await done(operator, 'removeUser', { organizationId, userId });
    expect((await rolesOf(userId)).map(({ role }) => role)).toEqual(['GUARD_ADMIN']);
    expect(await sees()).toBe(false);
    expect(await attempt(leaver, 'approveDataAccess', { ticketId })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await attempt(operator, 'removeUser', { organizationId, userId })).toMatchObject({
      code: 'NOT_FOUND',
    });
    await done(operator, 'addUser', { organizationId, email, name: 'Back' });
    expect((await rolesOf(userId)).map(({ role }) => role)).toEqual(['GUARD_ADMIN']);
    expect(await sees()).toBe(false);
  });

  test('a deactivated account is refused from the next request on, until it is reactivated', async () => {
    const { id: accountId, email } = await addMember();
    await assignRole(world, { userId: accountId, organizationId, role: 'ORGANIZATION_ADMIN' });
    const { ticketId } = await fileTicket(gateway, world);
    const person = await gateway.as(email);
    expect((await person.ask('{ tickets(first: 1) { edges { node { id } } } }')).tickets.edges).toHaveLength(
      1,
    );
    const grantors = async (): Promise<string[]> => {
      const { node } = await operator.ask(
        `{ node(id: "${ticketId}") { ... on Ticket { accessEligibility { eligibleGrantors(first: 100) { edges { node { email } } } } } } }`,
      );
      return node.accessEligibility.eligibleGrantors.edges.map((edge: Json) => edge.node.email);
    };
    expect(await grantors()).toContain(email);

    expect(await attempt(operator, 'deactivateAccount', { accountId })).toMatchObject({
      email,
      isActive: false,
    });
    for (const query of [
      '{ viewer { kind } }',
      '{ tickets { edges { node { id } } } }',
      `{ node(id: "${ticketId}") { id } }`,
      `mutation { approveDataAccess(input: { ticketId: "${ticketId}" }) { __typename } }`,
    ]) {
      const { errors } = await person.send(query);
      expect(errors[0], query).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
      expect(errors[0]?.message, query).toContain('no active account');
    }
    expect(await grantors()).not.toContain(email);

    expect(await attempt(operator, 'reactivateAccount', { accountId })).toMatchObject({
      isActive: true,
    });
    expect((await person.ask('{ viewer { organizations { id } } }')).viewer.organizations).toHaveLength(1);
    expect(await attempt(operator, 'deactivateAccount', { accountId: nowhere('User') })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('nobody can deactivate their own account, so that there is always an operator', async () => {
    const { viewer } = await operator.ask('{ viewer { account { ... on Operator { id } } } }');
    expect(await attempt(operator, 'deactivateAccount', { accountId: viewer.account.id })).toMatchObject({
      code: 'OWN_ACCOUNT',
    });
    expect((await operator.ask('{ viewer { kind } }')).viewer.kind).toBe('OPERATOR');
  });

  test.each([1, 2, 3, 4, 5])('one operator remains when all deactivate each other at once (%i)', async () => {
    const operators = await Promise.all(
      ['one', 'two'].map(async () => {
        const email = fresh('vendor.example');
        const { id } = await done(operator, 'addOperator', { email, name: 'Operator' });
        return { id, as: await gateway.as(email) };
      }),
    );
    const [one, two] = operators;
    if (one === undefined || two === undefined) throw new Error('two operators');
    await Promise.all(operators.map(({ as }) => as.ask('{ viewer { kind } }')));
    const answers = await Promise.all([
      one.as.send(`mutation { deactivateAccount(input: { accountId: "${two.id}" }) { __typename } }`),
      two.as.send(`mutation { deactivateAccount(input: { accountId: "${one.id}" }) { __typename } }`),
    ]);
    const kinds = answers.map(
      ({ data, errors }) => data?.deactivateAccount?.__typename ?? errors[0]?.extensions['code'],
    );
    expect(kinds.sort()).toEqual([expect.stringMatching(/^FORBIDDEN$|^ForbiddenError$/), 'Operator']);
    const { nodes } = await operator.ask(
      `{ nodes(ids: ["${one.id}", "${two.id}"]) { ... on Account { isActive } } }`,
    );
    expect(nodes.filter(({ isActive }: Json) => isActive)).toHaveLength(1);
  });

  describe('a role', () => {
    const covers = {
      ORGANIZATION_ADMIN: ['organization'],
      SITE_ADMIN: ['site'],
      USER_ACCESS_ADMIN: ['site'],
      PRODUCT_ADMIN: ['product'],
      TRUSTED_USER: ['product'],
      BILLING_ADMIN: ['site', 'product'],
      TECHNICAL_CONTACT: ['site', 'product'],
      GUARD_ADMIN: ['organization', 'site'],
      AUDITOR: ['organization'],
    };

    test.each(Object.entries(covers))(
      '%s is held over what it covers and nothing else',
      async (role, over) => {
        const { id: siteId, productId } = await newSite();
        const places: Record<string, object> = {
          organization: {},
          site: { siteId },
          product: { siteId, productId },
        };
        for (const [place, where] of Object.entries(places)) {
          const { id: userId } = await addMember();
          const { acme } = world.admins;
          const held = { userId, organizationId, role, ...where };
          if (over.includes(place)) {
            await assignRole(world, held);
            expect(await rolesOf(userId)).toMatchObject([{ role }]);
            expect(await attempt(acme, 'assignRole', held)).toMatchObject({ code: 'ALREADY_EXISTS' });
          } else {
            expect(await attempt(acme, 'assignRole', held)).toMatchObject(invalid('input.role'));
            expect(await rolesOf(userId)).toEqual([]);
          }
        }
      },
    );

    test('needs a member, a site of the organization and a product on that site', async () => {
      const { id: userId } = await addMember();
      const { sites } = world.acme;
      const there = world.globex.sites.main;
      const assign = (input: Record<string, unknown>) =>
        attempt(operator, 'assignRole', { userId, organizationId, role: 'PRODUCT_ADMIN', ...input });
      const own = { siteId: sites.main.id, productId: sites.main.products.jira };
      expect(await assign({ ...own, userId: nowhere('User') })).toMatchObject(invalid('input.userId'));
      const { organizationId: elsewhere } = world.globex;
      expect(
        await assign({ organizationId: elsewhere, siteId: there.id, productId: there.products.jira }),
      ).toMatchObject(invalid('input.userId'));
      expect(await assign({ siteId: there.id, productId: there.products.jira })).toMatchObject(
        invalid('input.siteId'),
      );
      expect(await assign({ ...own, siteId: nowhere('Site') })).toMatchObject(invalid('input.siteId'));
      expect(await assign({ ...own, productId: sites.original.products.jira })).toMatchObject(
        invalid('input.productId'),
      );
      expect(await assign({ productId: sites.main.products.jira })).toMatchObject(invalid('input.productId'));
      expect(await assign({ ...own, organizationId: nowhere('Organization') })).toMatchObject({
        code: 'NOT_FOUND',
      });
      expect(await rolesOf(userId)).toEqual([]);
      const { id: engineerId } = world.engineer;
      expect(await assign({ ...own, userId: engineerId })).toMatchObject(invalid('input.userId'));
    });

    test('stops counting when it is removed', async () => {
      const { id: userId, email } = await addMember();
      const { id } = await assignRole(world, {
        userId,
        organizationId,
        role: 'ORGANIZATION_ADMIN',
      });
      const { ticketId } = await fileTicket(gateway, world);
      const person = await gateway.as(email);
      const allowed = async () =>
        (await person.ask(`{ node(id: "${ticketId}") { ... on Ticket { accessEligibility { allowed } } } }`))
          .node;
      expect(await allowed()).toEqual({ accessEligibility: { allowed: true } });
      const removed = await operator.ask(
        `mutation ($input: RemoveRoleInput!) { removeRole(input: $input) { ... on RoleAssignment {
          role user { email } organization { id } site { id } product { id } } } }`,
        { input: { roleAssignmentId: id } },
      );
      expect(removed.removeRole).toEqual({
        ...{ role: 'ORGANIZATION_ADMIN', user: { email }, organization: { id: organizationId } },
        ...{ site: null, product: null },
      });
      expect(await allowed()).toBeNull();
      expect(await attempt(operator, 'removeRole', { roleAssignmentId: id })).toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    test('that was removed is returned with its site and product', async () => {
      const { id: userId, email } = await addMember();
      const { main } = world.acme.sites;
      const where = { siteId: main.id, productId: main.products.jira };
      const { id } = await assignRole(world, {
        userId,
        organizationId,
        role: 'PRODUCT_ADMIN',
        ...where,
      });
      const removed = await operator.ask(
        `mutation ($input: RemoveRoleInput!) { removeRole(input: $input) { ... on RoleAssignment {
          user { email } site { url organization { id } } product { key site { id } } } } }`,
        { input: { roleAssignmentId: id } },
      );
      expect(removed.removeRole).toEqual({
        user: { email },
        site: { url: main.url, organization: { id: organizationId } },
        product: { key: 'jira', site: { id: main.id } },
      });
    });

    test('pushed through SCIM counts once it is synced, and the audit entry of a sync has the number of roles', async () => {
      const other = await done(operator, 'createOrganization', { name: 'Pushed' });
      const place = { organizationId: other.id };
      const url = `https://fresh-${++count}.example`;
      const site = await done(operator, 'createSite', { ...place, url, name: 'Pushed' });
      const product = await done(operator, 'licenseProduct', { siteId: site.id, key: 'jira', name: 'Jira' });
      const pushed = await Promise.all(
        Array.from({ length: 3 }, async () => {
          const email = fresh('pushed.example');
          const { id } = await done(operator, 'addUser', { ...place, email, name: 'Pushed' });
          await done(operator, 'assignRole', {
            ...place,
            userId: id,
            role: 'ORGANIZATION_ADMIN',
            origin: 'SCIM',
          });
          return { id, as: await gateway.as(email) };
        }),
      );
      const [first] = pushed;
      if (first === undefined) throw new Error('three');
      const file = { productId: product.id, summary: 'Slow', grantDataAccess: true };
      const { id: ticketId } = await done(first.as, 'createTicket', file);
      expect(await attempt(first.as, 'approveDataAccess', { ticketId })).toMatchObject({
        code: 'NOT_ELIGIBLE',
        eligibility: { obstacles: [{ code: 'ROLE_NOT_SYNCED' }] },
      });
      expect(await rolesOf(first.id)).toMatchObject([{ syncState: 'PENDING_SYNC', origin: 'SCIM' }]);

      const synced = async () => {
        await done(operator, 'triggerScimSync', place);
        const { auditLog } = await operator.ask(
          `query ($organizationId: ID!) { auditLog(first: 1, filter: { organizationId: $organizationId, action: ROLE_SYNC }) {
            edges { node { details } } } }`,
          place,
        );
        return auditLog.edges[0].node.details;
      };
      expect(await synced()).toEqual({ synced: 3 });
      expect(await synced()).toEqual({ synced: 0 });
      expect(await rolesOf(first.id)).toMatchObject([{ syncState: 'SYNCED', origin: 'SCIM' }]);
      expect(await attempt(first.as, 'approveDataAccess', { ticketId })).toMatchObject({ state: 'ACTIVE' });
      expect(
        await attempt(operator, 'triggerScimSync', { organizationId: nowhere('Organization') }),
      ).toMatchObject({
        code: 'NOT_FOUND',
      });
    });
  });

  test('a site is deactivated once and reactivated once', async () => {
    const { id: siteId } = await newSite();
    expect(await attempt(operator, 'reactivateSite', { siteId })).toMatchObject({
      code: 'SITE_NOT_DEACTIVATED',
    });
    await done(operator, 'deactivateSite', { siteId });
    expect(await attempt(operator, 'deactivateSite', { siteId })).toMatchObject({ code: 'SITE_DEACTIVATED' });
    await done(operator, 'reactivateSite', { siteId });
    const { node } = await operator.ask(`{ node(id: "${siteId}") { ... on Site { status } } }`);
    expect(node).toEqual({ status: 'ACTIVE' });
  });

  test('only an organization with Guard restricts support access', async () => {
    const plain = await done(operator, 'createOrganization', { name: 'Without Guard' });
    const url = `https://fresh-${++count}.example`;
    const { id: siteId } = await done(operator, 'createSite', {
      organizationId: plain.id,
      url,
      name: 'Plain',
    });
    const email = fresh('plain.example');
    const { id: userId } = await done(operator, 'addUser', {
      organizationId: plain.id,
      email,
      name: 'Admin',
    });
    await done(operator, 'assignRole', { userId, organizationId: plain.id, role: 'ORGANIZATION_ADMIN' });
    const admin = await gateway.as(email);
    const restrict = (restricted: boolean) =>
      attempt(admin, 'setSupportAccessRestrictions', { siteId, restricted });
    expect(await restrict(true)).toMatchObject({ code: 'ORGANIZATION_WITHOUT_GUARD' });
    expect(await restrict(false)).toMatchObject({ id: siteId });
  });

  test('a policy applies from then on, and its values have limits', async () => {
    const { id: siteId } = await newSite();
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const policy = { requestWaitSeconds: 60, maxGrantSeconds: 3_600, samePersonMayApproveTwice: true };
    await done(admin, 'setSupportAccessPolicy', { siteId, ...policy });
    const read = async () =>
      (
        await admin.ask(
          `{ node(id: "${siteId}") { ... on Site { supportAccessPolicy { requestWaitSeconds maxGrantSeconds samePersonMayApproveTwice } } } }`,
        )
      ).node.supportAccessPolicy;
    expect(await read()).toEqual(policy);
    for (const [field, value] of [
      ['requestWaitSeconds', 0],
      ['requestWaitSeconds', -1],
      ['requestWaitSeconds', 315_360_001],
      ['maxGrantSeconds', 0],
    ] as const) {
      expect(
        await attempt(admin, 'setSupportAccessPolicy', { siteId, ...policy, [field]: value }),
      ).toMatchObject(invalid(`input.${field}`));
    }
    expect(await read()).toEqual(policy);
    const { maxGrantSeconds: _, ...withoutEnd } = policy;
    await done(admin, 'setSupportAccessPolicy', { siteId, ...withoutEnd });
    expect(await read()).toEqual({ ...policy, maxGrantSeconds: null });
  });

  test('in a document with several mutations, each result shows the state right after that mutation', async () => {
    const { id: userId, email } = await addMember();
    const { ticketId } = await fileTicket(gateway, world);
    const { id } = await assignRole(world, { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
    const grantors = `... on Ticket { status accessEligibility { eligibleGrantors(first: 100) { edges { node { email } } } } }`;
    const answer = await operator.ask(
      `mutation ($ticket: AssignTicketInput!, $role: RemoveRoleInput!, $nobody: AssignTicketInput!) {
        before: assignTicket(input: $ticket) { ${grantors} }
        removeRole(input: $role) { __typename }
        after: assignTicket(input: $nobody) { ${grantors} } }`,
      {
        ticket: { ticketId, engineerId: world.otherEngineer.id },
        role: { roleAssignmentId: id },
        nobody: { ticketId, engineerId: null },
      },
    );
    const emails = ({ accessEligibility }: Json) =>
      accessEligibility.eligibleGrantors.edges.map((edge: Json) => edge.node.email);
    expect(emails(answer.before)).toContain(email);
    expect(emails(answer.after)).not.toContain(email);
  });

  test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
});

describe('signing in', () => {
  test('binds an account to the subject of the token; another subject with its email is refused', async () => {
    await using issuer = await startIssuer();
    const sign = await issuer.addKey('ES256');
    const identity = {
      kind: 'oidc' as const,
      issuer: issuerName,
      audience: audienceName,
      jwksUrl: issuer.jwksUrl,
      emailVerified: 'OPTIONAL' as const,
    };
    await using gateway = await startGateway({
      config: { identity, bootstrapOperatorEmail: 'op@vendor.example' },
    });
    const as = async (sub: string, email?: string) =>
      gateway.withToken(await sign({ sub, ...(email === undefined ? {} : { email }) }));
    const who = async (person: Person): Promise<string | undefined> => {
      const { data, errors } = await person.send('{ viewer { account { email } } }');
      if (errors.length > 0) expect(errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
      return data?.viewer?.account.email;
    };

    expect(await who(await as('op', 'OP@vendor.example'))).toBe('op@vendor.example');
    // From now on the subject identifies the account, whatever email the token has.
    expect(await who(await as('op'))).toBe('op@vendor.example');
    expect(await who(await as('op', 'renamed@vendor.example'))).toBe('op@vendor.example');
    expect(await who(await as('somebody-else', 'op@vendor.example'))).toBeUndefined();
    expect(await who(await as('stranger', 'stranger@vendor.example'))).toBeUndefined();
    expect(await who(await as('nobody'))).toBeUndefined();

    const operator = await as('op');
    const { id: accountId } = await done(operator, 'addSupportEngineer', {
      email: 'erin@vendor.example',
      name: 'Erin',
    });
    await done(operator, 'deactivateAccount', { accountId });
    // A deactivated account cannot sign in, so it is not bound either.
    expect(await who(await as('erin', 'erin@vendor.example'))).toBeUndefined();
    await done(operator, 'reactivateAccount', { accountId });
    expect(await who(await as('erin-2', 'erin@vendor.example'))).toBe('erin@vendor.example');
    expect(await who(await as('erin', 'erin@vendor.example'))).toBeUndefined();

    // The subject of a deactivated account cannot sign in to another account with that account's email.
    await done(operator, 'addSupportEngineer', { email: 'sam@vendor.example', name: 'Sam' });
    await done(operator, 'deactivateAccount', { accountId });
    expect(await who(await as('erin-2', 'sam@vendor.example'))).toBeUndefined();
    expect(await who(await as('sam', 'sam@vendor.example'))).toBe('sam@vendor.example');
  });
});
