/**
 * Every action on the audit log, as `resource.verb`. docs/audit.md has the shape of each one's `details`. An
 * action that is no longer written stays here, because its entries stay.
 */
export const auditActions = [
  'account.add_operator',
  'account.add_service_account',
  'account.add_support_engineer',
  'account.add_user',
  'account.bind_subject',
  'account.deactivate',
  'account.reactivate',
  'account.remove_user',
  'grant.approve',
  'grant.approve_as_guard',
  'grant.deny',
  'grant.deny_as_guard',
  'grant.end',
  'grant.expire',
  'grant.reassign',
  'grant.release',
  'grant.request',
  'grant.revoke',
  'grant.withdraw',
  'guard_mail.give_up',
  'organization.create',
  'product.license',
  'product.unlicense',
  'role.assign',
  'role.remove',
  'role.sync',
  'site.create',
  'site.deactivate',
  'site.reactivate',
  'site.set_support_access_policy',
  'site.set_support_access_restrictions',
  'ticket.assign',
  'ticket.close',
  'ticket.create',
  'ticket.reopen',
  'ticket.update_status',
] as const;

export type AuditAction = (typeof auditActions)[number];
