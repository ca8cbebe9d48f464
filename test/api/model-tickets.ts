/** Commands on tickets, in the model, and their effects on grants. */
import {
  type Answer,
  change,
  type Engineer,
  grantAt,
  isMember,
  type Model,
  mayGrant,
  openGrants,
  refuse,
  type Status,
  seesOrganization,
  seesTicket,
  settle,
  type Ticket,
  ticketAt,
  type Who,
  write,
} from './model.ts';
import { endChanges } from './model-changes.ts';
import { approveForCustomer, end, openRequest } from './model-grants.ts';
import { type Product, siteOf } from './model-who-may-grant.ts';

export function createTicket(
  model: Model,
  who: Who,
  product: Product,
  ticked: boolean,
  reporterNamed: Who | null,
): Answer {
  const about = `product ${product}`;
  const site = model.sites[siteOf(product)];
  if (!seesOrganization(who)) return refuse(model, who, 'ticket.create', about, 'NOT_FOUND');
  if (who === 'operator') return refuse(model, who, 'ticket.create', about, 'FORBIDDEN');
  if (isMember(who) && reporterNamed !== null && reporterNamed !== who)
    return refuse(model, who, 'ticket.create', about, 'FORBIDDEN');
  const reporter = isMember(who) ? who : reporterNamed;
  if (reporter === null || !isMember(reporter))
    return refuse(model, who, 'ticket.create', about, 'INVALID_INPUT');

  const ticket: Ticket = { product, reporter, engineer: null, status: 'OPEN', version: 1 };
  const index = model.tickets.push(ticket) - 1;
  write(model, who, 'ticket.create', `ticket ${index}`);
  if (site.active && model.licensed[product]) {
    const grant = openRequest(model, index, 'PRODUCT_DATA', reporter, who);
    if (ticked && mayGrant(model, reporter, product))
      approveForCustomer(model, grant, reporter, 'TICKET_CREATION', null, who);
  }
  return { ticket: index };
}

export function assign(model: Model, who: Who, index: number, engineer: Engineer | null): Answer {
  return onTicket(model, who, index, 'ticket.assign', ['ticketing', 'operator'], (ticket) => {
    if (ticket.engineer === engineer) return nothing;
    if (ticket.status === 'CLOSED') return 'TICKET_CLOSED';
    return () => {
      Object.assign(ticket, { engineer, version: ticket.version + 1 });
      write(model, who, 'ticket.assign', `ticket ${index}`);
      endChanges(model, who, 'TICKET_REASSIGNED', (_, of) => of === index);
      for (const grant of openGrants(model, (_, of) => of === index))
        if (grantAt(model, grant).engineer !== engineer)
          change(model, grant, who, 'REASSIGNED', { engineer });
    };
  });
}

export function updateStatus(
  model: Model,
  who: Who,
  index: number,
  status: Exclude<Status, 'CLOSED'>,
): Answer {
  return onTicket(model, who, index, 'ticket.update_status', ['ticketing', 'engineer of it'], (ticket) => {
    if (ticket.status === 'CLOSED') return 'TICKET_CLOSED';
    if (ticket.status === status) return nothing;
    return () => {
      Object.assign(ticket, { status, version: ticket.version + 1 });
      write(model, who, 'ticket.update_status', `ticket ${index}`);
    };
  });
}

export function close(model: Model, who: Who, index: number): Answer {
  const may = ['ticketing', 'engineer of it', 'reporter of it'] as const;
  return onTicket(model, who, index, 'ticket.close', may, (ticket) => {
    if (ticket.status === 'CLOSED') return nothing;
    return () => {
      Object.assign(ticket, { status: 'CLOSED', version: ticket.version + 1 });
      write(model, who, 'ticket.close', `ticket ${index}`);
      endChanges(model, who, 'TICKET_CLOSED', (_, of) => of === index);
      for (const grant of openGrants(model, (_, of) => of === index)) {
        const state = grantAt(model, grant).state === 'ACTIVE' ? 'REVOKED' : 'WITHDRAWN';
        end(model, grant, who, state, 'TICKET_CLOSED');
      }
    };
  });
}

export function reopen(model: Model, who: Who, index: number): Answer {
  const may = ['ticketing', 'engineer of it', 'reporter of it'] as const;
  return onTicket(model, who, index, 'ticket.reopen', may, (ticket) => {
    if (ticket.status !== 'CLOSED') return 'TICKET_NOT_CLOSED';
    return () => {
      Object.assign(ticket, { status: 'OPEN', version: ticket.version + 1 });
      write(model, who, 'ticket.reopen', `ticket ${index}`);
    };
  });
}

/** It is so already. */
function nothing(): void {}

function onTicket(
  model: Model,
  who: Who,
  index: number,
  action: string,
  may: readonly ('ticketing' | 'operator' | 'engineer of it' | 'reporter of it')[],
  decide: (ticket: Ticket) => string | (() => void),
): Answer {
  const ticket = ticketAt(model, index);
  const about = `ticket ${index}`;
  if (!seesTicket(model, who, ticket)) return refuse(model, who, action, about, 'NOT_FOUND');
  const allowed = may.some((one) =>
    one === 'engineer of it'
      ? ticket.engineer === who
      : one === 'reporter of it'
        ? ticket.reporter === who
        : one === who,
  );
  const before = model.entries.length;
  settle(
    model,
    openGrants(model, (_, of) => of === index),
  );
  const decided = allowed ? decide(ticket) : 'FORBIDDEN';
  if (typeof decided === 'string') return refuse(model, who, action, about, decided);
  const settled = model.entries.splice(before);
  decided();
  // The command's own entry comes before those of the grants, and so do those of the change requests.
  const written = model.entries.slice(before).findLastIndex((line) => / (ticket|change) \d+ /.test(line));
  const own = before + written;
  model.entries.splice(own + 1, 0, ...settled);
  return { ticket: index };
}
