/** The role table, written again for the model: who may grant for a product on a site, and the obstacles. */

export type Site = 'one' | 'two';
export type Product = 'jira@one' | 'confluence@one' | 'jira@two';
export type Experience = 'CENTRALIZED' | 'ORIGINAL';

export type RoleName =
  | 'ORGANIZATION_ADMIN'
  | 'SITE_ADMIN'
  | 'USER_ACCESS_ADMIN'
  | 'PRODUCT_ADMIN'
  | 'TRUSTED_USER'
  | 'BILLING_ADMIN'
  | 'TECHNICAL_CONTACT'
  | 'GUARD_ADMIN';

/** A role held over a product, a site, or (neither named) the organization. */
export type Held = { role: RoleName; site?: Site; product?: Product; synced: boolean };

export function siteOf(product: Product): Site {
  return product.endsWith('@one') ? 'one' : 'two';
}

function kindOf(product: Product): string {
  return product.slice(0, product.indexOf('@'));
}

/** What a role covers under Centralized and under Original; a dash where the role does not count. */
const table: Record<Exclude<RoleName, 'GUARD_ADMIN'>, [centralized: Reach, original: Reach]> = {
  ORGANIZATION_ADMIN: ['everything', 'everything'],
  SITE_ADMIN: ['-', 'its site'],
  USER_ACCESS_ADMIN: ['its site', '-'],
  PRODUCT_ADMIN: ['its product', 'its product'],
  TRUSTED_USER: ['-', 'its product'],
  BILLING_ADMIN: ['listed site or product', 'listed product'],
  TECHNICAL_CONTACT: ['listed site or product', 'listed product'],
};
type Reach = '-' | 'everything' | 'its site' | 'its product' | 'listed site or product' | 'listed product';

/** In the order of the API's answers. */
const obstacles = [
  'WRONG_PRODUCT',
  'WRONG_SITE',
  'NOT_LISTED_AS_CONTACT',
  'TICKET_CLOSED',
  'SITE_DEACTIVATED',
  'PRODUCT_NOT_LICENSED',
  'ROLE_NOT_SYNCED',
  'ROLE_NOT_IN_THIS_EXPERIENCE',
  'NO_MATCHING_ROLE',
] as const;
export type Obstacle = (typeof obstacles)[number];

/** The obstacles for a member with these roles; empty when they may grant for the product. */
export function whatKeepsFromGranting(
  held: readonly Held[],
  product: Product,
  site: { experience: Experience; active: boolean; licensed: boolean },
): Obstacle[] {
  const found = new Set<Obstacle>();
  if (!site.active) found.add('SITE_DEACTIVATED');
  if (!site.licensed) found.add('PRODUCT_NOT_LICENSED');
  const each = held.flatMap((one) => (one.role === 'GUARD_ADMIN' ? [] : [against(one, product, site)]));
  if (each.length === 0) found.add('NO_MATCHING_ROLE');
  if (each.every((against) => against.length > 0)) for (const obstacle of each.flat()) found.add(obstacle);
  return inOrder(found);
}

/** The same on a ticket: on a closed one nobody may grant. */
export function onTicket(found: readonly Obstacle[], isClosed: boolean): Obstacle[] {
  return inOrder(new Set(isClosed ? [...found, 'TICKET_CLOSED'] : found));
}

function inOrder(found: ReadonlySet<Obstacle>): Obstacle[] {
  return obstacles.filter((obstacle) => found.has(obstacle));
}

function against(held: Held, product: Product, { experience }: { experience: Experience }): Obstacle[] {
  if (held.role === 'GUARD_ADMIN') return ['NO_MATCHING_ROLE'];
  const reach = table[held.role][experience === 'CENTRALIZED' ? 0 : 1];
  const wrong: Obstacle[] = [];
  if (reach === '-') return ['ROLE_NOT_IN_THIS_EXPERIENCE'];
  if (reach === 'its product' && kindOf(held.product ?? product) !== kindOf(product))
    wrong.push('WRONG_PRODUCT');
  if ((reach === 'its product' || reach === 'its site') && held.site !== siteOf(product))
    wrong.push('WRONG_SITE');
  if (reach === 'listed product' && held.product !== product) wrong.push('NOT_LISTED_AS_CONTACT');
  if (reach === 'listed site or product') {
    const listed = held.product === undefined ? held.site === siteOf(product) : held.product === product;
    if (!listed) wrong.push('NOT_LISTED_AS_CONTACT');
  }
  return wrong.length === 0 && !held.synced ? ['ROLE_NOT_SYNCED'] : wrong;
}
