/** The people of the sample organizations. */

export type Persona = {
  readonly email: string;
  readonly name: string;
  /** Their role, in a few words. */
  readonly title: string;
  /** What they can do. */
  readonly can: string;
};

export const personas = [
  {
    email: 'operator@vendor.example',
    name: 'Otto',
    title: 'Operator of the vendor',
    can: 'adds organizations, sites and accounts; may not grant',
  },
  {
    email: 'erin@vendor.example',
    name: 'Erin',
    title: 'Support engineer',
    can: 'requests access on her tickets, receives the decisions, releases access',
  },
  {
    email: 'sam@vendor.example',
    name: 'Sam',
    title: 'Support engineer',
    can: 'the same on his tickets; does not see Erin’s',
  },
  {
    email: 'ticketing@vendor.example',
    name: 'Ticketing system',
    title: 'Service account',
    can: 'files, assigns and closes tickets',
  },
  {
    email: 'jira@vendor.example',
    name: 'Jira',
    title: 'Service account',
    can: 'asks before each support action and receives the events of grants, like Jira’s backend',
  },
  {
    email: 'rita@acme.example',
    name: 'Rita',
    title: 'Reporter at Acme',
    can: 'files tickets, closes them, revokes access; may not grant',
  },
  {
    email: 'olivia@acme.example',
    name: 'Olivia',
    title: 'Organization admin',
    can: 'grants anywhere at Acme, sets policies, reads the audit log',
  },
  {
    email: 'jack@acme.example',
    name: 'Jack',
    title: 'Product admin: Jira',
    can: 'grants for Jira on acme.example',
  },
  {
    email: 'carla@acme.example',
    name: 'Carla',
    title: 'Product admin: Confluence',
    can: 'grants for Confluence on acme.example; is refused for Jira',
  },
  {
    email: 'ursula@acme.example',
    name: 'Ursula',
    title: 'User access admin',
    can: 'grants for any product on acme.example',
  },
  {
    email: 'tess@acme.example',
    name: 'Tess',
    title: 'Technical contact',
    can: 'grants where she is listed: Confluence on acme.example',
  },
  {
    email: 'penny@acme.example',
    name: 'Penny',
    title: 'Product admin, not synced',
    can: 'may not grant: her role came through SCIM and is not synced yet',
  },
  {
    email: 'gina@acme.example',
    name: 'Gina',
    title: 'Guard admin',
    can: 'gives the second approval on acme-vault.example; reads the audit log',
  },
  {
    email: 'vera@acme.example',
    name: 'Vera',
    title: 'Product and Guard admin',
    can: 'gives the first or the second approval on acme-vault.example, never both',
  },
  {
    email: 'sid@acme.example',
    name: 'Sid',
    title: 'Site admin',
    can: 'grants on acme-labs.example, which has original user management',
  },
  {
    email: 'tom@acme.example',
    name: 'Tom',
    title: 'Trusted user',
    can: 'grants for Jira on acme-labs.example',
  },
  {
    email: 'siem@acme.example',
    name: 'SIEM',
    title: 'Service account of Acme',
    can: 'reads Acme’s audit log',
  },
  {
    email: 'gus@globex.example',
    name: 'Gus',
    title: 'Organization admin',
    can: 'grants anywhere at Globex; sees nothing of Acme',
  },
  {
    email: 'gil@globex.example',
    name: 'Gil',
    title: 'Reporter at Globex',
    can: 'files tickets',
  },
] as const satisfies readonly Persona[];

export type PersonaEmail = (typeof personas)[number]['email'];

/** Returns the display name of a persona. */
export function nameOf(email: string): string {
  return personas.find((persona) => persona.email === email)?.name ?? email;
}
