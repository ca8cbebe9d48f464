/** The sample organizations with their sites, members and roles. */
import type { Experience, Role } from '../roles/role.ts';
import type { PersonaEmail } from './personas.ts';

export type SampleSite = {
  readonly url: string;
  readonly name: string;
  readonly experience: Experience;
  readonly region: string;
  readonly products: readonly ProductKey[];
};
export type ProductKey = keyof typeof productNames;
export const productNames = { jira: 'Jira', confluence: 'Confluence' } as const;

export type SampleRole = {
  readonly role: Role;
  /** The site that the role is over, or the product on it. Without a site it is over the organization. */
  readonly site?: string;
  readonly product?: ProductKey;
  /** Created by the identity provider, and not synced yet. */
  readonly scim?: true;
};

export type SampleCustomer = {
  readonly name: string;
  readonly hasGuard: boolean;
  readonly sites: readonly SampleSite[];
  /** The organization admin whom the operator appoints. They assign the roles of the others. */
  readonly admin: PersonaEmail;
  /** Its members and their roles, beginning with those of the admin. */
  readonly members: Readonly<Partial<Record<PersonaEmail, readonly SampleRole[]>>>;
};

const [main, labs, vault, old] = [
  'https://acme.example',
  'https://acme-labs.example',
  'https://acme-vault.example',
  'https://acme-old.example',
] as const;

export const siteUrls = { main, labs, vault, old, globex: 'https://globex.example' } as const;

export const customers: readonly SampleCustomer[] = [
  {
    name: 'Acme',
    hasGuard: true,
    admin: 'olivia@acme.example',
    sites: [
      {
        ...{ url: main, name: 'Acme', experience: 'CENTRALIZED', region: 'EU' },
        products: ['jira', 'confluence'],
      },
      { url: labs, name: 'Acme Labs', experience: 'ORIGINAL', region: 'GLOBAL', products: ['jira'] },
      { url: vault, name: 'Acme Vault', experience: 'CENTRALIZED', region: 'EU', products: ['jira'] },
      { url: old, name: 'Acme (old site)', experience: 'CENTRALIZED', region: 'EU', products: ['jira'] },
    ],
    members: {
      'olivia@acme.example': [{ role: 'ORGANIZATION_ADMIN' }],
      'rita@acme.example': [],
      'jack@acme.example': [{ role: 'PRODUCT_ADMIN', site: main, product: 'jira' }],
      'carla@acme.example': [{ role: 'PRODUCT_ADMIN', site: main, product: 'confluence' }],
      'ursula@acme.example': [{ role: 'USER_ACCESS_ADMIN', site: main }],
      'tess@acme.example': [{ role: 'TECHNICAL_CONTACT', site: main, product: 'confluence' }],
      'penny@acme.example': [{ role: 'PRODUCT_ADMIN', site: main, product: 'jira', scim: true }],
      'gina@acme.example': [{ role: 'GUARD_ADMIN' }],
      'vera@acme.example': [
        { role: 'PRODUCT_ADMIN', site: vault, product: 'jira' },
        { role: 'GUARD_ADMIN', site: vault },
      ],
      'sid@acme.example': [{ role: 'SITE_ADMIN', site: labs }],
      'tom@acme.example': [{ role: 'TRUSTED_USER', site: labs, product: 'jira' }],
    },
  },
  {
    name: 'Globex',
    hasGuard: false,
    admin: 'gus@globex.example',
    sites: [
      {
        ...{ url: siteUrls.globex, name: 'Globex', experience: 'CENTRALIZED', region: 'US' },
        products: ['jira', 'confluence'],
      },
    ],
    members: {
      'gus@globex.example': [{ role: 'ORGANIZATION_ADMIN' }],
      'gil@globex.example': [],
    },
  },
];
