/**
 * The organization of what is the vendor's own and no customer's. A migration has written its row, so that every row can
 * say whose it is. It has no people, sites or service accounts, which the database ensures, and the API does not show it.
 */
export const vendorOrganizationId = '00000000-0000-0000-0000-000000000000';
