import { addFirstOperator } from '../commands/add-first-operator.ts';
import { assignRole } from '../commands/assign-and-remove-roles.ts';
import { deactivateSite, setSupportAccessRestrictions } from '../commands/change-site.ts';
import type { Dependencies } from '../commands/execute.ts';
import {
  type AddServiceAccountInput,
  addServiceAccount,
  addSupportEngineer,
  addUser,
} from '../commands/provision-accounts.ts';
import { createOrganization, createSite, licenseProduct } from '../commands/provision-organization.ts';
import { RefusedError } from '../commands/refusal.ts';
import type { Database } from '../platform/database.ts';
import { StartupError } from '../platform/startup-error.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { customers, productNames, type SampleCustomer, siteUrls } from './customers.ts';
import { createLoadingContext, type LoadingContext } from './loading-context.ts';
import { nameOf, type PersonaEmail, personas } from './personas.ts';
import { fileSampleTickets } from './tickets.ts';

/** The account that is added last: when it exists, the sample data is complete. */
const last: PersonaEmail = 'siem@acme.example';

/**
 * Loads the sample organizations by the commands that an operator and the people would use: the operator appoints each
 * customer's first admin, who assigns the other roles. Does nothing in a
 * database that has other organizations, or the sample organizations already. Completes a load that was interrupted.
 *
 * @returns whether the database has the sample organizations now
 * @throws StartupError when an interrupted load is too old to be completed: its idempotency keys have expired.
 */
export async function loadSampleData(dependencies: Dependencies): Promise<boolean> {
  const { database } = dependencies;
  if (await hasAnyOf(database, [last])) return true;
  const names = customers.map(({ name }) => name);
  const { prisma } = database;
  const others = { name: { notIn: names }, id: { not: vendorOrganizationId } };
  if ((await prisma.organization.count({ where: others })) > 0) return false;
  await addFirstOperator(dependencies, 'operator@vendor.example');
  const operator = await prisma.account.findUnique({ where: { email: 'operator@vendor.example' } });
  if (operator?.kind !== 'OPERATOR') return false;

  const loading = createLoadingContext(dependencies, operator.id);
  try {
    await addVendor(loading);
    for (const customer of customers) await addCustomer(loading, customer);
    await loading.as('gina@acme.example', setSupportAccessRestrictions, {
      siteId: loading.id(siteUrls.vault),
      restricted: true,
    });
    await fileSampleTickets(loading);
    await loading.as('operator@vendor.example', deactivateSite, { siteId: loading.id(siteUrls.old) });
    await loading.as('operator@vendor.example', addServiceAccount, {
      ...{ email: last, name: nameOf(last), capabilities: ['AUDIT_READING'] },
      organizationId: loading.id('Acme'),
    });
    return true;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new StartupError(
      'The sample data is incomplete, and too old to be completed: `npm run reset` clears it.',
      { cause: error },
    );
  }
}

/**
 * Whether the database has the sample people.
 *
 * @param orSome also after a load that was interrupted
 */
export async function hasSamplePeople(database: Database, orSome: boolean): Promise<boolean> {
  return await hasAnyOf(database, orSome ? personas.map(({ email }) => email) : [last]);
}

async function hasAnyOf({ pool }: Database, emails: readonly string[]): Promise<boolean> {
  const { rows } = await pool.query('SELECT FROM accounts WHERE email = ANY ($1::text[]) LIMIT 1', [emails]);
  return rows.length > 0;
}

async function addVendor({ as, ids }: LoadingContext): Promise<void> {
  const operator = 'operator@vendor.example';
  for (const email of ['erin@vendor.example', 'sam@vendor.example'] as const) {
    const { id } = await as(operator, addSupportEngineer, { email, name: nameOf(email) });
    ids.set(email, id);
  }
  for (const [email, may] of [
    ['ticketing@vendor.example', { capabilities: ['TICKETING'] }],
    [
      'jira@vendor.example',
      { capabilities: ['GRANT_WATCHING', 'ACCESS_EVALUATION'], evaluatedProducts: ['jira'] },
    ],
  ] satisfies [PersonaEmail, Pick<AddServiceAccountInput, 'capabilities' | 'evaluatedProducts'>][]) {
    const service = { email, name: nameOf(email), organizationId: null, ...may };
    const { id } = await as(operator, addServiceAccount, service);
    ids.set(email, id);
  }
}

async function addCustomer({ as, ids, id: idOf }: LoadingContext, customer: SampleCustomer): Promise<void> {
  const operator = 'operator@vendor.example';
  const { name, hasGuard, sites, members, admin } = customer;
  const { id: organizationId } = await as(operator, createOrganization, { name, hasGuard });
  ids.set(name, organizationId);
  for (const { region: dataResidencyRegion, products, ...site } of sites) {
    const { id: siteId } = await as(operator, createSite, { organizationId, ...site, dataResidencyRegion });
    ids.set(site.url, siteId);
    for (const key of products) {
      const product = await as(operator, licenseProduct, { siteId, key, name: productNames[key] });
      ids.set(`${site.url}/${key}`, product.id);
    }
  }
  for (const [email, roles] of Object.entries(members)) {
    const member = { organizationId, email, name: nameOf(email) };
    const { id: accountId } = await as(operator, addUser, member);
    ids.set(email, accountId);
    for (const { role, site, product, scim } of roles) {
      await as(email === admin ? operator : admin, assignRole, {
        ...{ accountId, role, organizationId, origin: scim === true ? 'SCIM' : 'DIRECT' },
        siteId: site === undefined ? null : idOf(site),
        productId: product === undefined ? null : idOf(`${site}/${product}`),
      });
    }
  }
}
