import { decodeGlobalId, encodeGlobalId } from '../platform/global-id.ts';
import { isId } from '../platform/ids.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';

const vendorName = 'vendor';

/** What URLs and the origins of signed heads call a log: the global id of its organization, or `vendor`. */
export function logName(organizationId: string): string {
  return organizationId === vendorOrganizationId
    ? vendorName
    : encodeGlobalId('Organization', organizationId);
}

/** The organization whose log has this name; null if no log can have it. */
export function organizationOfLog(name: string): string | null {
  if (name === vendorName) return vendorOrganizationId;
  const { id = '' } = decodeGlobalId(name) ?? {};
  return isId(id) && id !== vendorOrganizationId && logName(id) === name ? id : null;
}
