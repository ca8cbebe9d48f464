import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.ts';
import './mutations/bulk.ts';
import './mutations/grants.ts';
import './mutations/provisioning.ts';
import './mutations/roles.ts';
import './mutations/sites.ts';
import './mutations/tickets.ts';
import './types/account.ts';
import './types/audit-entry.ts';
import './types/error.ts';
import './types/grant.ts';
import './types/grant-event.ts';
import './types/organization.ts';
import './types/role-assignment.ts';
import './types/site.ts';
import './types/ticket.ts';
import './types/viewer.ts';

/** The whole API. */
export const schema: GraphQLSchema = builder.toSchema();
