/** Who is asking: the account that a verified token speaks for, with the roles it holds at this moment. */
import type { RoleAssignment } from '../roles/role.ts';

type Someone = { id: string; email: string; name: string };

export type UserViewer = Someone & {
  kind: 'USER';
  organizationIds: readonly string[];
  assignments: readonly RoleAssignment[];
};
export type ServiceCapability = 'TICKETING' | 'GRANT_WATCHING' | 'AUDIT_READING' | 'ACCESS_EVALUATION';
export type ServiceViewer = Someone & {
  kind: 'SERVICE_ACCOUNT';
  capabilities: readonly ServiceCapability[];
  /** The keys of the products whose data it may ask about: none without `ACCESS_EVALUATION`. */
  evaluatedProducts: readonly string[];
  /** The one organization it is bound to; null: the vendor's own, for all of them. */
  organizationId: string | null;
};
export type Viewer =
  | UserViewer
  | (Someone & { kind: 'SUPPORT_ENGINEER' })
  | (Someone & { kind: 'OPERATOR' })
  | (Someone & { kind: 'COMPLIANCE_ANALYST' })
  | ServiceViewer;
