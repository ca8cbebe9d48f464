/** A deployment for API tests, created through the API: two customers, each with people in every role and place. */
import { isUnionType } from 'graphql';
import { schema } from '../../src/graphql/schema.ts';
import { type GatewayOptions, type Json, type Person, startGateway, type TestGateway } from './gateway.ts';
import { createFilledDatabase, type TestDatabase } from './postgres.ts';

/** Runs a mutation and returns its result; throws if it was refused. */
export async function done(person: Person, name: string, input: Record<string, unknown>): Promise<Json> {
  const data = await attempt(person, name, input);
  if ('code' in data) throw new Error(`${name} was refused: ${JSON.stringify(data)}`);
  return data;
}

/**
 * Runs a mutation, and lets the Guard admin confirm it where it takes two people. Returns what the first person was
 * answered; throws if either of them was refused.
 */
export async function doneByTwo(
  guardAdmin: Person,
  person: Person,
  name: string,
  input: Record<string, unknown>,
): Promise<Json> {
  const answer = await done(person, name, input);
  if (answer.__typename === 'ProposedChange')
    await done(guardAdmin, 'confirmProposedChange', { proposedChangeId: answer.id });
  return answer;
}

/** Runs a mutation and returns its result: `{ id, … }` or `{ code, message, … }`. */
export async function attempt(person: Person, name: string, input: Record<string, unknown>): Promise<Json> {
  const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const union = schema.getType(`${capitalized}Result`);
  const members = isUnionType(union) ? union.getTypes().map((type) => type.name) : [];
  const fragments = members.map((type) => `... on ${type} { ${selections[type] ?? 'id'} }`);
  const data = await person.ask(
    `mutation Attempt($input: ${capitalized}Input!) { result: ${name}(input: $input) { __typename ${fragments.join(' ')} } }`,
    { input },
  );
  return data.result;
}

/** The selection for each type that mutations return; for other types, the id. */
const selections: Record<string, string> = {
  Grant: 'id state version path endReason expiresAt',
  Ticket: 'id key status',
  ChangeRequest: 'id state version endReason',
  BulkPayload: 'results { grantId result { ... on Grant { state version } ... on Error { code message } } }',
  ProposedChange: 'id changeKind state summary',
  InboundTicketEvent: 'id state reason attempts',
  RovoDataDeletion: 'id state version failureReason',
  AuditStream: 'id name state version',
  AuditStreamWithSecret: 'secret auditStream { id name state version }',
  User: 'id email isActive',
  SupportEngineer: 'id email isActive',
  Operator: 'id email isActive',
  ComplianceAnalyst: 'id email isActive',
  ServiceAccount: 'id email isActive',
  NotFoundError: 'code message',
  ForbiddenError: 'code message',
  InvalidStateError: 'code message',
  NotEligibleError: 'code message eligibility { obstacles { code } }',
  InvalidInputError: 'code message fields { path message }',
  ConflictError: 'code message currentVersion',
  SupportSession: 'id state endReason endedAt dueAt expiresAt',
  SupportSessionOpenError: 'code message supportSession { id }',
};

export type Customer = {
  organizationId: string;
  /** By name: `main` (Centralized), `original`, `restricted` (Centralized, Guard), `deactivated`. */
  sites: Record<SiteName, { id: string; url: string; products: Record<ProductKey, string> }>;
  /** By role; see `people` below. */
  emails: Record<PersonName, string>;
};
export type SiteName = 'main' | 'original' | 'restricted' | 'deactivated';
export type ProductKey = 'jira' | 'confluence';

const siteNames: SiteName[] = ['main', 'original', 'restricted', 'deactivated'];
const productKeys: ProductKey[] = ['jira', 'confluence'];

/** The people of a customer, each with a role and the site and product it is held over. */
const people = {
  reporter: null,
  organizationAdmin: { role: 'ORGANIZATION_ADMIN' },
  siteAdmin: { role: 'SITE_ADMIN', site: 'original' },
  userAccessAdmin: { role: 'USER_ACCESS_ADMIN', site: 'main' },
  jiraAdmin: { role: 'PRODUCT_ADMIN', site: 'main', product: 'jira' },
  confluenceAdmin: { role: 'PRODUCT_ADMIN', site: 'main', product: 'confluence' },
  jiraAdminElsewhere: { role: 'PRODUCT_ADMIN', site: 'restricted', product: 'jira' },
  trustedUser: { role: 'TRUSTED_USER', site: 'original', product: 'jira' },
  billingAdmin: { role: 'BILLING_ADMIN', site: 'main', product: 'jira' },
  technicalContact: { role: 'TECHNICAL_CONTACT', site: 'main', product: 'confluence' },
  unsyncedAdmin: { role: 'PRODUCT_ADMIN', site: 'main', product: 'jira', origin: 'SCIM' },
  guardAdmin: { role: 'GUARD_ADMIN' },
} as const satisfies Record<
  string,
  { role: string; site?: SiteName; product?: ProductKey; origin?: 'SCIM' } | null
>;
export type PersonName = keyof typeof people;

export type World = {
  acme: Customer;
  globex: Customer;
  engineer: { id: string; email: string };
  otherEngineer: { id: string; email: string };
  /** Service accounts of the vendor, one for each capability, and one that is limited to Acme. */
  services: Record<'ticketing' | 'watching' | 'auditing' | 'acmeWatching', string>;
  operator: Person;
  /** The organization admin and the Guard admin of each customer. */
  admins: Record<'acme' | 'globex', Person>;
  guardAdmins: Record<'acme' | 'globex', Person>;
};

/** What the database holds of it. */
export type WorldContents = Omit<World, 'operator' | 'admins' | 'guardAdmins'>;

const operatorEmail = 'operator@vendor.example';

/** The world of this database, with the people who act in every test signed in. */
export async function withPeople(gateway: Pick<TestGateway, 'as'>, contents: WorldContents): Promise<World> {
  const { acme, globex } = contents;
  return {
    ...contents,
    operator: await gateway.as(operatorEmail),
    admins: {
      acme: await gateway.as(acme.emails.organizationAdmin),
      globex: await gateway.as(globex.emails.organizationAdmin),
    },
    guardAdmins: {
      acme: await gateway.as(acme.emails.guardAdmin),
      globex: await gateway.as(globex.emails.guardAdmin),
    },
  };
}

/**
 * Starts a gateway on a database of its own that holds the world. The first test of a run that asks for it builds the
 * world; the others get a copy, in a tenth of the time.
 */
export async function startGatewayWithWorld(
  options: Omit<GatewayOptions, 'databaseUrl'> & {
    /** Signs people in, where the gateway does not issue tokens. Nobody has signed in before. */
    signIn?: (started: TestGateway, email: string) => Promise<Person>;
  } = {},
): Promise<{ gateway: TestGateway; world: World } & AsyncDisposable> {
  const { signIn, ...others } = options;
  await using begun = new AsyncDisposableStack();
  const database = await createDatabaseWithWorld();
  begun.defer(() => database.dispose());
  const started = begun.use(await startGateway({ ...others, databaseUrl: database.url }));
  if (signIn !== undefined)
    await started.sql.query('UPDATE accounts SET subject = NULL, subject_issuer = NULL');
  const as = signIn === undefined ? started.as : (email: string) => signIn(started, email);
  const world = await withPeople({ as }, database.contents);
  const running = begun.move();
  const dispose = () => running.disposeAsync();
  const gateway = { ...started, as, dispose, [Symbol.asyncDispose]: dispose };
  return { gateway, world, [Symbol.asyncDispose]: dispose };
}

/** A database that holds the world: a copy of the one that the run has filled. */
export function createDatabaseWithWorld(): Promise<TestDatabase & { contents: WorldContents }> {
  return createFilledDatabase('world', async (databaseUrl) => {
    await using office = await startGateway({ databaseUrl, maintenance: false });
    const { operator: _, admins: __, guardAdmins: ___, ...built } = await buildWorld(office);
    return built;
  });
}

/** Sets up a deployment as an operator does. */
export async function buildWorld(gateway: TestGateway): Promise<World> {
  const operator = await gateway.as(operatorEmail);
  const engineers = await Promise.all(
    ['erin', 'sam'].map(async (name) => {
      const email = `${name}@vendor.example`;
      return { email, ...(await done(operator, 'addSupportEngineer', { email, name })) } as {
        id: string;
        email: string;
      };
    }),
  );
  const [engineer, otherEngineer] = engineers;
  if (engineer === undefined || otherEngineer === undefined) throw new Error('The world needs two engineers');
  const acme = await buildCustomer(operator, 'acme', gateway);
  const globex = await buildCustomer(operator, 'globex', gateway);
  const services = {
    ticketing: 'ticketing@vendor.example',
    watching: 'watching@vendor.example',
    auditing: 'auditing@vendor.example',
    acmeWatching: 'watching@acme.example',
  };
  const add = (email: string, capability: string, organizationId?: string) =>
    done(operator, 'addServiceAccount', { email, name: email, capabilities: [capability], organizationId });
  await add(services.ticketing, 'TICKETING');
  await add(services.watching, 'GRANT_WATCHING');
  await add(services.auditing, 'AUDIT_READING');
  await add(services.acmeWatching, 'GRANT_WATCHING', acme.organizationId);
  return await withPeople(gateway, { acme, globex, engineer, otherEngineer, services });
}

/** The vendor's service account that is the backend of Rovo, signed in. */
export async function addRovoBackend(gateway: Pick<TestGateway, 'as'>): Promise<Person> {
  const email = 'rovo@vendor.example';
  await done(await gateway.as(operatorEmail), 'addServiceAccount', {
    ...{ email, name: 'Rovo', capabilities: ['ACCESS_EVALUATION'], evaluatedProducts: ['rovo'] },
  });
  const person = await gateway.as(email);
  // The first request of an account binds it to the subject of its token.
  await person.ask('{ viewer { kind } }');
  return person;
}

/**
 * Assigns a role as the organization admin of the customer: an operator alone appoints only the first admin. Where that
 * takes two people, the customer's Guard admin confirms it.
 */
export async function assignRole(
  { admins, guardAdmins, acme }: Pick<World, 'admins' | 'guardAdmins' | 'acme'>,
  input: Record<string, unknown> & { organizationId: string },
): Promise<Json> {
  const customer = input.organizationId === acme.organizationId ? 'acme' : 'globex';
  return await doneByTwo(guardAdmins[customer], admins[customer], 'assignRole', input);
}

async function buildCustomer(operator: Person, name: string, gateway: TestGateway): Promise<Customer> {
  const organization = await done(operator, 'createOrganization', { name, hasGuard: true });
  const organizationId: string = organization.id;
  const sites = {} as Customer['sites'];
  for (const site of siteNames) {
    const url = `https://${name}-${site}.example`;
    const { id } = await done(operator, 'createSite', {
      ...{ organizationId, url, name: site },
      experience: site === 'original' ? 'ORIGINAL' : 'CENTRALIZED',
    });
    const products = {} as Record<ProductKey, string>;
    for (const key of productKeys) {
      products[key] = (await done(operator, 'licenseProduct', { siteId: id, key, name: key })).id;
    }
    sites[site] = { id, url, products };
  }
  const emails = {} as Customer['emails'];
  for (const [person, held] of Object.entries(people) as [PersonName, (typeof people)[PersonName]][]) {
    const email = `${person.toLowerCase()}@${name}.example`;
    emails[person] = email;
    const user = await done(operator, 'addUser', { organizationId, email, name: person });
    if (held === null) continue;
    const site = 'site' in held ? sites[held.site] : undefined;
    const by = person === 'organizationAdmin' ? operator : await gateway.as(emails.organizationAdmin);
    await done(by, 'assignRole', {
      userId: user.id,
      role: held.role,
      organizationId,
      ...(site === undefined ? {} : { siteId: site.id }),
      ...(site === undefined || !('product' in held) ? {} : { productId: site.products[held.product] }),
      ...('origin' in held ? { origin: held.origin } : {}),
    });
  }
  const guardAdmin = await gateway.as(emails.guardAdmin);
  await done(guardAdmin, 'setSupportAccessRestrictions', { siteId: sites.restricted.id, restricted: true });
  await done(operator, 'deactivateSite', { siteId: sites.deactivated.id });
  return { organizationId, sites, emails };
}

/** Creates a ticket as the reporter and assigns the engineer. Returns the ticket and its open request. */
export async function fileTicket(
  gateway: TestGateway,
  world: Pick<World, 'acme' | 'globex' | 'engineer' | 'operator'>,
  options: {
    site?: SiteName;
    product?: ProductKey;
    grantDataAccess?: boolean;
    customer?: 'acme' | 'globex';
  } = {},
): Promise<{ ticketId: string; key: string; grantId: string | null }> {
  const { site = 'main', product = 'jira', grantDataAccess = false, customer = 'acme' } = options;
  const reporter = await gateway.as(world[customer].emails.reporter);
  const productId = world[customer].sites[site].products[product];
  // Not by `done`: this asks for the grant as well.
  const { ticket } = await reporter.ask(filing, {
    input: { productId, summary: 'It is slow', grantDataAccess },
  });
  if (ticket.id === undefined) throw new Error(`createTicket was refused: ${JSON.stringify(ticket)}`);
  const { id, key, grants } = ticket;
  await done(world.operator, 'assignTicket', { ticketId: id, engineerId: world.engineer.id });
  return { ticketId: id, key, grantId: grants.edges[0]?.node.id ?? null };
}

const filing = `mutation File($input: CreateTicketInput!) { ticket: createTicket(input: $input) {
  ... on Ticket { id key grants(first: 1) { edges { node { id } } } } ... on Error { code message } } }`;
