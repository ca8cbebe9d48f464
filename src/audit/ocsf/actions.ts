/** Which event of OCSF each action is: its class and its activity. docs/audit.md has the same table. */
import type { AuditAction } from '../actions.ts';
import type { classes } from './schema.ts';

type Activities<Class extends keyof typeof classes> = keyof (typeof classes)[Class]['activities'];

/** An activity of the class; in words, one that the class has no number for. */
export type Mapping = {
  [Class in keyof typeof classes]: { readonly class: Class; readonly activity: Activities<Class> | string };
}[keyof typeof classes];

const entity = (activity: Activities<'ENTITY_MANAGEMENT'> | string): Mapping => ({
  ...{ class: 'ENTITY_MANAGEMENT', activity },
});
const account = (activity: Activities<'ACCOUNT_CHANGE'> | string): Mapping => ({
  ...{ class: 'ACCOUNT_CHANGE', activity },
});
const access = (activity: Activities<'USER_ACCESS'>): Mapping => ({ class: 'USER_ACCESS', activity });
const decision = (activity: Activities<'API_ACTIVITY'> | string): Mapping => ({
  ...{ class: 'API_ACTIVITY', activity },
});

const [create, update] = [entity(1), entity(3)];
const [enable, disable] = [entity(8), entity(9)];
const [activate, deactivate] = [entity(10), entity(11)];
const read = decision(2);

export const mappings: Readonly<Record<AuditAction, Mapping>> = {
  'access.evaluate': decision('Evaluate'),
  'account.accept_invitation': entity(6),
  'account.add_compliance_analyst': account(1),
  'account.add_operator': account(1),
  'account.add_service_account': account(1),
  'account.add_support_engineer': account(1),
  'account.add_user': account(1),
  'account.bind_subject': account('Bind Subject'),
  'account.deactivate': account(5),
  'account.invite': create,
  'account.reactivate': account(2),
  'account.remove_user': account('Remove from Organization'),
  'account.withdraw_invitation': deactivate,
  'admin_settings.view': read,
  'attachment.read': read,
  'audit_entries.count': entity(2),
  'audit_entries.export': entity(2),
  'audit_entries.prove': entity(2),
  'audit_entries.search': entity(2),
  'audit_entries.stream': entity(2),
  'audit_log.view': read,
  'audit_stream.create': create,
  'audit_stream.delete': entity(4),
  'audit_stream.disable': disable,
  'audit_stream.pause': deactivate,
  'audit_stream.replay': update,
  'audit_stream.resume': activate,
  'audit_stream.rotate_secret': update,
  'audit_stream.test': update,
  'audit_stream.update': update,
  'change.apply': decision(3),
  'change_request.begin': update,
  'change_request.complete': update,
  'change_request.consent': activate,
  'change_request.expire': deactivate,
  'change_request.refuse': deactivate,
  'change_request.request': create,
  'change_request.revoke_consent': deactivate,
  'change_request.withdraw': deactivate,
  'comment.read': read,
  'data.export': read,
  'grant.approve': activate,
  'grant.approve_as_guard': activate,
  'grant.deny': deactivate,
  'grant.deny_as_guard': deactivate,
  'grant.end': deactivate,
  'grant.expire': deactivate,
  'grant.lapse_approval': update,
  'grant.reassign': update,
  'grant.release': deactivate,
  'grant.request': create,
  'grant.revoke': deactivate,
  'grant.shorten_wait': update,
  'grant.withdraw': deactivate,
  'groups.view': read,
  'guard_mail.give_up': entity('Give Up'),
  'inbound_ticket_event.replay': entity('Replay'),
  'mail.give_up': entity('Give Up'),
  'organization.create': create,
  'organization.remove_audit_entries': entity(4),
  'organization.set_audit_retention': update,
  'organization.set_guard': update,
  'page.read': read,
  'permissions.view': read,
  'product.license': enable,
  'product.unlicense': disable,
  'proposed_change.apply': activate,
  'proposed_change.confirm': activate,
  'proposed_change.decline': deactivate,
  'proposed_change.expire': deactivate,
  'proposed_change.lapse': deactivate,
  'proposed_change.propose': create,
  'proposed_change.withdraw': deactivate,
  'role.assign': access(1),
  'role.remove': access(2),
  'role.sync': activate,
  'rovo_conversation.read': read,
  'rovo_data_deletion.record': update,
  'rovo_data_deletion.request': create,
  'rovo_data_deletion.withdraw': deactivate,
  'rovo_index.read': read,
  'site.create': create,
  'site.deactivate': disable,
  'site.reactivate': enable,
  'site.set_support_access_policy': update,
  'site.set_support_access_restrictions': update,
  'support_session.end': deactivate,
  'support_session.start': create,
  'ticket.assign': update,
  'ticket.close': update,
  'ticket.create': create,
  'ticket.reopen': update,
  'ticket.update': update,
  'ticket.update_status': update,
  'users.view': read,
  'work_item.read': read,
};

/** Of an action that only a newer version of the gateway knows. */
export const unknownAction: Mapping = entity('Unknown to this version');

/** Of an attempt on a role: its entry does not say which role of whom, as an event of the class would have to. */
export const attemptOnRole: Mapping = entity('Attempt');
