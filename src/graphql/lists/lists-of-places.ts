/** Declares a list three times, alike: of everything that the viewer sees, of a site, and of an organization. */
import type { FieldRef } from '@pothos/core';
import { builder } from '../builder.ts';
import type { Types } from '../mutation.ts';
import { Organization } from '../types/organization.ts';
import { Site } from '../types/site.ts';
import type { Place } from './visible-list.ts';

type Field<Parent> = {
  /** The name of the list, which its cursors have. */
  list: string;
  /** The place that it is a list of; undefined: of all. */
  placeOf: (parent: Parent) => Place | undefined;
  /** What differs from the other two fields. */
  options: { description: string; nullable: boolean; viewerIndependent?: false; authScopes?: object };
};

type FieldBuilder<Parent> = PothosSchemaTypes.RootFieldBuilder<Types, Parent, 'Object'>;

/**
 * @param texts what is listed of all, of a site and of an organization, as in `grants on the site`
 * @param connection makes one of the fields
 */
export function declareInPlaces(
  name: 'grants' | 'tickets',
  texts: { ofAll: string; ofSite: string; ofOrganization: string },
  connection: <Parent>(t: FieldBuilder<Parent>, field: Field<Parent>) => FieldRef<Types>,
): void {
  const described = (what: string) =>
    `The ${what} that the viewer may see, newest first unless asked otherwise.`;
  builder.queryField(name, (t) =>
    connection(t as unknown as FieldBuilder<object>, {
      list: name,
      placeOf: () => undefined,
      options: {
        nullable: true,
        description: `${described(texts.ofAll)} Null with an error.`,
        authScopes: { operation: name },
      },
    }),
  );
  builder.prismaObjectField(Site, name, (t) =>
    connection(t as unknown as FieldBuilder<{ id: string }>, {
      list: `Site.${name}`,
      placeOf: ({ id }) => ({ siteIds: [id] }),
      options: { nullable: false, viewerIndependent: false, description: described(texts.ofSite) },
    }),
  );
  builder.prismaObjectField(Organization, name, (t) =>
    connection(t as unknown as FieldBuilder<{ id: string }>, {
      list: `Organization.${name}`,
      placeOf: ({ id }) => ({ organizationIds: [id] }),
      options: { nullable: false, viewerIndependent: false, description: described(texts.ofOrganization) },
    }),
  );
}
