/** Customers and engineers at work: tickets from their filing to the end of access, one after another. */
import { setTimeout as wait } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  ApproveDataAccessDocument,
  AssignTicketDocument,
  CreateTicketDocument,
  RevokeDataAccessDocument,
} from '../../schema/generated/operations.ts';
import type { GatewayClient } from '../../src/client/client.ts';
import { RequestFailedError } from '../../src/client/errors.ts';
import type { World } from '../support/world.ts';

/** What somebody was answered: from then on it holds. */
export type Decided = {
  grantId: string;
  state: string;
  version: number;
  /** When the answer came, on `performance`'s clock. */
  at: number;
};

export type Caseload = {
  readonly decided: readonly Decided[];
  /** How requests ended that had to be repeated, and how often. */
  readonly setbacks: ReadonlyMap<string, number>;
  /** Resolves when so many more decisions were answered; rejects when somebody cannot go on. */
  decisions(more: number): Promise<void>;
  /** Resolves when so many more requests have had to be repeated. */
  setbacksSeen(more: number): Promise<void>;
  /** Lets everybody finish the ticket in hand. */
  finish(): Promise<void>;
};

export type CaseloadOptions = {
  world: World;
  /** Through which gateway this person's next request goes. */
  clientOf(email: string): GatewayClient;
  workers: number;
  /** Told apart from those of another caseload on the same database. */
  name: string;
  /** Awaited before each ticket. */
  mayBegin?(): Promise<void>;
  /** Awaited right after each decision was answered. */
  onDecided?(decided: Decided): Promise<void>;
};

/** Begins to work. Every step is repeated with the same idempotency key until it is answered. */
export function startCaseload(options: CaseloadOptions): Caseload {
  const { world, clientOf, name, workers } = options;
  const decided: Decided[] = [];
  const setbacks = new Map<string, number>();
  let stopped = false;
  let setbackCount = 0;
  let progress = Promise.withResolvers<void>();

  function tell(): void {
    progress.resolve();
    progress = Promise.withResolvers();
  }

  async function insist<Result, Variables extends Record<string, unknown>>(
    email: string,
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): Promise<Result> {
    for (;;) {
      try {
        return await clientOf(email).execute(document, variables);
      } catch (error) {
        if (!(error instanceof RequestFailedError)) throw error;
        setbacks.set(error.code, (setbacks.get(error.code) ?? 0) + 1);
        setbackCount += 1;
        tell();
        // As a client would: not at once again.
        await wait(50);
      }
    }
  }

  async function settle(grant: Granted | { __typename: string }): Promise<Granted> {
    if (!isGranted(grant)) throw new Error(`A decision was refused: ${JSON.stringify(grant)}`);
    const { id: grantId, state, version } = grant;
    const settled = { grantId, state, version, at: performance.now() };
    decided.push(settled);
    await options.onDecided?.(settled);
    tell();
    return grant;
  }

  async function work(worker: string): Promise<void> {
    const { emails, sites } = world.acme;
    for (let number = 0; !stopped; number += 1) {
      await options.mayBegin?.();
      const key = `${worker}-${number}`;
      const { createTicket } = await insist(emails.reporter, CreateTicketDocument, {
        input: {
          ...{ productId: sites.main.products.jira, summary: key, grantDataAccess: false },
          idempotencyKey: `${key}-file`,
        },
      });
      if (createTicket.__typename !== 'Ticket') throw new Error(JSON.stringify(createTicket));
      const ticketId = createTicket.id;
      await insist(world.services.ticketing, AssignTicketDocument, {
        input: { ticketId, engineerId: world.engineer.id, idempotencyKey: `${key}-assign` },
      });
      const { approveDataAccess } = await insist(emails.organizationAdmin, ApproveDataAccessDocument, {
        input: { ticketId, idempotencyKey: `${key}-approve` },
      });
      const { id: grantId } = await settle(approveDataAccess);
      const { revokeDataAccess } = await insist(emails.organizationAdmin, RevokeDataAccessDocument, {
        input: { grantId, idempotencyKey: `${key}-revoke` },
      });
      await settle(revokeDataAccess);
    }
  }

  const working = Promise.all(Array.from({ length: workers }, (_, index) => work(`${name}-${index}`)));
  working.catch(() => undefined);

  async function until(count: () => number, enough: number): Promise<void> {
    while (count() < enough) await Promise.race([progress.promise, working]);
  }

  return {
    decided,
    setbacks,
    decisions: (more) => until(() => decided.length, decided.length + more),
    setbacksSeen: (more) => until(() => setbackCount, setbackCount + more),
    async finish() {
      stopped = true;
      await working;
    },
  };
}

type Granted = { __typename: 'Grant'; id: string; state: string; version: number };

function isGranted(answer: { __typename: string }): answer is Granted {
  return answer.__typename === 'Grant';
}
