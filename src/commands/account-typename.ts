import type { Viewer } from '../identity/viewer.ts';

/** The API's name for an account of each kind. */
export const accountTypename: Readonly<Record<Viewer['kind'], string>> = {
  USER: 'User',
  SUPPORT_ENGINEER: 'SupportEngineer',
  OPERATOR: 'Operator',
  COMPLIANCE_ANALYST: 'ComplianceAnalyst',
  SERVICE_ACCOUNT: 'ServiceAccount',
};
