import { type GraphQLSchema, isObjectType } from 'graphql';
import { encodeGlobalId } from '../platform/global-id.ts';
import { builder } from './builder.ts';
import './lists/accounts.ts';
import './lists/audit-log.ts';
import './lists/audit-summary.ts';
import './lists/grants.ts';
import './lists/role-assignments.ts';
import './lists/tickets.ts';
import './mutations/audit-retention.ts';
import './mutations/audit-streams.ts';
import './mutations/bulk.ts';
import './mutations/changes.ts';
import './mutations/grants.ts';
import './mutations/inbound-ticket-events.ts';
import './mutations/proposed-changes.ts';
import './mutations/provisioning.ts';
import './mutations/roles.ts';
import './mutations/rovo-data-deletions.ts';
import './mutations/sites.ts';
import './mutations/support-sessions.ts';
import './mutations/tickets.ts';
import './types/account.ts';
import './types/audit-event.ts';
import './types/change-request.ts';
import './types/change-request-event.ts';
import './types/error.ts';
import './types/grant.ts';
import './types/grant-event.ts';
import './types/inbound-ticket-event.ts';
import './types/organization.ts';
import './types/proposed-change.ts';
import './types/role-assignment.ts';
import './types/rovo-data-deletion.ts';
import './types/session-event.ts';
import './types/site.ts';
import './types/support-session.ts';
import './types/ticket.ts';
import './types/viewer.ts';

/** The whole API. */
export const schema: GraphQLSchema = withPlainIds(builder.toSchema());

/**
 * Resolves global ids synchronously. The Relay plugin returns a promise for each, which makes every enclosing value a
 * promise.
 */
function withPlainIds(whole: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(whole.getTypeMap())) {
    if (!isObjectType(type) || !type.getInterfaces().some(({ name }) => name === 'Node')) continue;
    const { id } = type.getFields();
    if (id !== undefined) id.resolve = (row: { id: string }) => encodeGlobalId(type.name, row.id);
  }
  return whole;
}
