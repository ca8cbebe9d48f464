/** The actions of the audit log as values of an enum: `grant.approve` is `GRANT_APPROVE`. */
import { type AuditAction, auditActions } from '../../audit/actions.ts';
import { builder } from '../builder.ts';

const texts: Record<AuditAction, string> = {
  'access.evaluate':
    "A product's backend asked about a support action by a question that is not valid, or about an unknown action.",
  'account.accept_invitation': 'A person accepted an invitation, and became a member of the organization.',
  'account.add_compliance_analyst': 'A compliance analyst of the vendor was added.',
  'account.add_operator':
    "An operator of the vendor was added, by another operator or at the gateway's first start.",
  'account.add_service_account': 'A service account was added.',
  'account.add_support_engineer': 'A support engineer was added.',
  'account.add_user': 'A user became a member of the organization.',
  'account.bind_subject':
    'An account signed in for the first time, and was bound to the subject of its token.',
  'account.deactivate': 'An account was deactivated.',
  'account.invite': 'An organization admin invited an address to become a member of the organization.',
  'account.reactivate': 'An account was reactivated.',
  'account.remove_user': 'A user was removed from the organization, and lost every role held in it.',
  'account.withdraw_invitation': 'An invitation to the organization was withdrawn.',
  'admin_settings.view': 'Support viewed admin settings.',
  'attachment.read': 'Support read an attachment.',
  'audit_entries.count': 'Entries of the audit log were counted.',
  'audit_entries.export': 'Entries of the audit log were downloaded.',
  'audit_entries.prove': 'A head, hashes or proofs of the sealed audit log were read.',
  'audit_entries.search': 'Entries of the audit log were searched and read.',
  'audit_entries.stream': 'Entries of the audit log were read as a stream.',
  'audit_log.view': "Support viewed a product's audit log.",
  'audit_stream.create': 'A stream of the audit log to an endpoint was created.',
  'audit_stream.delete': 'A stream of the audit log was deleted.',
  'audit_stream.disable':
    'Latchkey disabled a stream of the audit log, because its endpoint wants no more or has failed for days.',
  'audit_stream.pause': 'A stream of the audit log was paused.',
  'audit_stream.replay': 'A stream of the audit log was set to another position.',
  'audit_stream.resume': 'A stream of the audit log that was paused or disabled was resumed.',
  'audit_stream.rotate_secret': 'A stream of the audit log got a new secret.',
  'audit_stream.test': 'A test message of a stream of the audit log was asked for.',
  'audit_stream.update': 'The endpoint, the filter or the format of a stream of the audit log was changed.',
  'change.apply': 'Support was allowed to make a change that the customer had consented to.',
  'comment.read': 'Support read a comment.',
  'data.export': 'Support exported data.',
  'change_request.begin':
    "A product's backend was allowed to make the change: `change.apply` is the entry of its question.",
  'change_request.complete': 'The engineer recorded what came of a change.',
  'change_request.consent': 'The customer consented to a change.',
  'change_request.expire': 'A change request expired: it was not decided, or not begun, in time.',
  'change_request.refuse': 'The customer refused a change.',
  'change_request.request': "The engineer asked for the customer's consent to a change.",
  'change_request.revoke_consent': 'The customer took a consent back before the change was begun.',
  'change_request.withdraw':
    'The engineer took a change request back, or it ended with its ticket, the assignment of its engineer, its site or its licence.',
  'grant.approve':
    "The customer approved a request, in the ticket's sidebar, in the admin console or by the consent box.",
  'grant.approve_as_guard': 'A Guard admin approved a request that the customer had approved.',
  'grant.deny': "The customer denied a request, or took an approval back before the Guard admin's decision.",
  'grant.deny_as_guard': 'A Guard admin denied a request that the customer had approved.',
  'grant.end':
    'A grant ended: its time ran out, or its site was deactivated, or its product is no longer licensed.',
  'grant.expire': 'A request expired: nobody decided in time.',
  'grant.lapse_approval':
    "The customer's approval lapsed, because the person who gave it may no longer grant; the request waits for the customer again.",
  'grant.reassign': 'A grant passed to another engineer, or to nobody, with the assignment of its ticket.',
  'grant.release': 'The engineer gave a grant back.',
  'grant.request': 'Access was requested, by the engineer or by the filing of a ticket.',
  'grant.revoke': 'A grant was revoked, by a person or by the closing of its ticket.',
  'grant.shorten_wait':
    "The deadline of a request was brought forward, because its site's policy lets requests wait less long.",
  'grant.withdraw':
    'A request was withdrawn: by the engineer, or because its ticket was closed, its site deactivated or its product unlicensed.',
  'groups.view': 'Support viewed the configuration of groups.',
  'guard_mail.give_up':
    'An email that asks a Guard admin for a decision was given up. Only in old entries: new ones are `MAIL_GIVE_UP`.',
  'inbound_ticket_event.replay': 'An event of a ticketing system was applied again.',
  'mail.give_up': "An email was given up: the mail server doesn't accept it. Its recipient was not notified.",
  'organization.create': 'An organization was created.',
  'organization.remove_audit_entries':
    'The oldest entries of the audit log were removed: the organization does not keep them any longer.',
  'organization.set_audit_retention':
    'An organization admin set for how long the organization keeps the entries of its audit log.',
  'organization.set_guard': 'An organization got Guard, or gave it up.',
  'page.read': 'Support read a page.',
  'permissions.view': 'Support viewed the configuration of permissions.',
  'product.license': 'A product was licensed on a site.',
  'product.unlicense': 'The licence of a product on a site ended.',
  'proposed_change.apply': 'A proposed change took effect by time.',
  'proposed_change.confirm': 'A proposed change was confirmed by a second person, and took effect.',
  'proposed_change.decline': 'A proposed change was declined by somebody who could have confirmed it.',
  'proposed_change.expire': 'A proposed change expired: nobody confirmed it in time.',
  'proposed_change.lapse': 'The time of a proposed change came, and it could not be made any more.',
  'proposed_change.propose': 'A change that takes two people was proposed.',
  'proposed_change.withdraw': 'A proposed change was withdrawn.',
  'role.assign': 'A role was assigned.',
  'role.remove': 'A role was removed.',
  'role.sync': 'The roles that the identity provider had pushed were synced.',
  'rovo_conversation.read': 'Support read a Rovo conversation.',
  'rovo_data_deletion.record':
    'The backend of Rovo recorded that a deletion of its data has begun, was completed or has failed.',
  'rovo_data_deletion.request': 'The deletion of what Rovo has stored was requested.',
  'rovo_data_deletion.withdraw': 'A requested deletion was withdrawn before it began.',
  'rovo_index.read': 'Support read data of a product as Rovo sees it.',
  'site.create': 'A site was created.',
  'site.deactivate': 'A site was deactivated.',
  'site.reactivate': 'A site was reactivated.',
  'site.set_support_access_policy':
    "The policy of a site's support access was set: time limits, two-person rule, relayed consent.",
  'site.set_support_access_restrictions': "The Guard admin's approval was switched on or off for a site.",
  'support_session.end':
    'A support session ended: its engineer ended it, a time limit was reached, or the use of its grant ended.',
  'support_session.start': 'An engineer started a support session, to use a grant.',
  'ticket.assign': 'A ticket was assigned to an engineer, or to nobody.',
  'ticket.close': 'A ticket was closed.',
  'ticket.create': 'A ticket was filed.',
  'ticket.reopen': 'A ticket was reopened.',
  'ticket.update': 'The summary, the product or the status of a ticket was changed.',
  'ticket.update_status': 'The status of an open ticket was changed.',
  'users.view': 'Support viewed the configuration of users.',
  'work_item.read': 'Support read a work item.',
};

const values = auditActions.map((action) => [
  action.replace('.', '_').toUpperCase(),
  { value: action, description: `\`${action}\`: ${texts[action]}` },
]);

export const AuditActionEnum = builder.enumType('AuditAction', {
  description:
    'An action on the audit log. In an entry with the outcome `REFUSED`, somebody attempted it. `docs/audit.md` has the `details` of each.',
  values: Object.fromEntries(values) as Record<string, { value: AuditAction; description: string }>,
});

const resources = [...new Set(auditActions.map((action) => action.split('.', 1)[0] ?? ''))];

export const AuditActionResource = builder.enumType('AuditActionResource', {
  description: 'What actions are on: the part of their name before the dot.',
  values: Object.fromEntries(
    resources.map((resource) => [
      resource.toUpperCase(),
      { value: resource, description: `\`${resource}.*\`` },
    ]),
  ),
});

/** The action, or null for one that only a newer version of the gateway knows. */
export function knownAction(action: string): AuditAction | null {
  return auditActions.find((known) => known === action) ?? null;
}
