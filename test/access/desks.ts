/** Desks: each has an engineer with a support session on a ticket, which the customer revokes and grants again. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { GatewayClient } from '../../client/src/index.ts';
import {
  AddSupportEngineerDocument,
  ApproveDataAccessDocument,
  AssignTicketDocument,
  CreateTicketDocument,
  RevokeDataAccessDocument,
  StartSupportSessionDocument,
} from '../../schema/generated/operations.ts';
import { type Counter, createCounter } from '../support/counter.ts';
import { rawId } from '../support/rows.ts';
import { untilAnswered } from '../support/until-answered.ts';
import type { WorldContents } from '../support/world.ts';

export type Desk = {
  readonly engineer: string;
  readonly ticketId: string;
  readonly ticketKey: string;
  /** The global id of its latest grant. */
  grantId: string;
  /** The decisions about it that were answered. */
  readonly answers: Counter;
};

export type Desks = {
  readonly all: readonly Desk[];
  /** Resolves when the customer has the answer that access is revoked. */
  revoke(desk: Desk): Promise<void>;
  /** Opens another grant, and a session of the engineer under it. */
  grantAgain(desk: Desk): Promise<void>;
  /** When the answer to its revocation had arrived, on `performance`'s clock; undefined: it has not. By database id. */
  revokedAt(grantId: string): number | undefined;
  readonly revocations: number;
  /** The number of repeated requests by error code. */
  readonly setbacks: ReadonlyMap<string, number>;
};

/**
 * @param name distinguishes them from other desks on the same database
 * @param clientOf the client, and so the gateway, for this person's next request
 */
export async function openDesks(options: {
  world: WorldContents;
  name: string;
  count: number;
  clientOf(email: string): GatewayClient;
}): Promise<Desks> {
  const { world, name, count, clientOf } = options;
  const { acme, services } = world;
  const admin = acme.emails.organizationAdmin;
  const setbacks = new Map<string, number>();
  const revokedAt = new Map<string, number>();
  let keys = 0;

  async function run<Result, Input extends object>(
    email: string,
    document: TypedDocumentNode<Result, { input: Input & { idempotencyKey?: string | null | undefined } }>,
    input: Input,
  ): Promise<Result> {
    keys += 1;
    const variables = { input: { ...input, idempotencyKey: `${name}-${keys}` } };
    return await untilAnswered(
      () => clientOf(email).execute(document, variables),
      (code) => setbacks.set(code, (setbacks.get(code) ?? 0) + 1),
    );
  }

  async function openDesk(number: number): Promise<Desk> {
    const engineer = `${name}-${number}@vendor.example`;
    const added = await run('operator@vendor.example', AddSupportEngineerDocument, {
      ...{ email: engineer, name: engineer },
    });
    const engineerId = only(added.addSupportEngineer, 'SupportEngineer').id;
    const { createTicket } = await run(acme.emails.reporter, CreateTicketDocument, {
      ...{ productId: acme.sites.main.products.jira, summary: 'It is slow', grantDataAccess: false },
    });
    const { id: ticketId, key: ticketKey } = only(createTicket, 'Ticket');
    await run(services.ticketing, AssignTicketDocument, { ticketId, engineerId });
    const desk = { engineer, ticketId, ticketKey, grantId: '', answers: createCounter() };
    await grantAgain(desk);
    return desk;
  }

  async function grantAgain(desk: Desk): Promise<void> {
    const { ticketId, engineer } = desk;
    const { approveDataAccess } = await run(admin, ApproveDataAccessDocument, { ticketId });
    desk.grantId = only(approveDataAccess, 'Grant').id;
    const { startSupportSession } = await run(engineer, StartSupportSessionDocument, {
      ...{ grantId: desk.grantId, reason: 'INVESTIGATE_PROBLEM' as const, note: 'Looks', country: 'DE' },
    });
    only(startSupportSession, 'SupportSession');
  }

  async function revoke({ grantId }: Desk): Promise<void> {
    const { revokeDataAccess } = await run(admin, RevokeDataAccessDocument, { grantId });
    only(revokeDataAccess, 'Grant');
    revokedAt.set(rawId(grantId), performance.now());
  }

  const all: Desk[] = [];
  for (let number = 0; number < count; number += 1) all.push(await openDesk(number));
  return {
    ...{ all, revoke, grantAgain, setbacks },
    revokedAt: (grantId) => revokedAt.get(grantId),
    get revocations() {
      return revokedAt.size;
    },
  };
}

/** The result of a mutation that must not be refused. */
function only<Result extends { __typename: string }, Name extends Result['__typename']>(
  result: Result,
  name: Name,
): Extract<Result, { __typename: Name }> {
  if (result.__typename !== name) throw new Error(`It was refused: ${JSON.stringify(result)}`);
  return result as Extract<Result, { __typename: Name }>;
}
