/** Customers and engineers at work: each worker takes one ticket after another from filing to the end of access. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { GatewayClient } from '../../client/src/index.ts';
import {
  ApproveDataAccessDocument,
  AssignTicketDocument,
  CreateTicketDocument,
  RevokeDataAccessDocument,
} from '../../schema/generated/operations.ts';
import { untilAnswered } from '../support/until-answered.ts';
import type { World } from '../support/world.ts';

/** A decision that was acknowledged: from then on it is effective. */
export type Decided = {
  grantId: string;
  state: string;
  version: number;
  /** When the response arrived, on `performance`'s clock. */
  at: number;
};

export type Caseload = {
  readonly decided: readonly Decided[];
  /** The number of repeated requests by error code. */
  readonly setbacks: ReadonlyMap<string, number>;
  /** Resolves when this many more decisions were acknowledged; rejects when a worker fails. */
  decisions(more: number): Promise<void>;
  /** Resolves when this many more requests were repeated. */
  setbacksSeen(more: number): Promise<void>;
  /** Resolves when each worker has finished its current ticket. */
  finish(): Promise<void>;
};

export type CaseloadOptions = {
  world: World;
  /** The client, and so the gateway, for this person's next request. */
  clientOf(email: string): GatewayClient;
  workers: number;
  /** Distinguishes it from another caseload on the same database. */
  name: string;
  /** Awaited before each ticket. */
  mayBegin?(): Promise<void>;
  /** Awaited right after each decision was acknowledged. */
  onDecided?(decided: Decided): Promise<void>;
};

/** Starts the workers. Every step is repeated with the same idempotency key until it succeeds. */
export function startCaseload(options: CaseloadOptions): Caseload {
  const { world, clientOf, name, workers } = options;
  const decided: Decided[] = [];
  const setbacks = new Map<string, number>();
  let stopped = false;
  let setbackCount = 0;
  let progress = Promise.withResolvers<void>();

  function notify(): void {
    progress.resolve();
    progress = Promise.withResolvers();
  }

  async function repeat<Result, Variables extends Record<string, unknown>>(
    email: string,
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): Promise<Result> {
    return await untilAnswered(
      () => clientOf(email).execute(document, variables),
      (code) => {
        setbacks.set(code, (setbacks.get(code) ?? 0) + 1);
        setbackCount += 1;
        notify();
      },
    );
  }

  async function record(grant: Granted | { __typename: string }): Promise<Granted> {
    if (!isGranted(grant)) throw new Error(`A decision was refused: ${JSON.stringify(grant)}`);
    const { id: grantId, state, version } = grant;
    const decision = { grantId, state, version, at: performance.now() };
    decided.push(decision);
    await options.onDecided?.(decision);
    notify();
    return grant;
  }

  async function work(worker: string): Promise<void> {
    const { emails, sites } = world.acme;
    for (let number = 0; !stopped; number += 1) {
      await options.mayBegin?.();
      const key = `${worker}-${number}`;
      const { createTicket } = await repeat(emails.reporter, CreateTicketDocument, {
        input: {
          ...{ productId: sites.main.products.jira, summary: key, grantDataAccess: false },
          idempotencyKey: `${key}-file`,
        },
      });
      if (createTicket.__typename !== 'Ticket') throw new Error(JSON.stringify(createTicket));
      const ticketId = createTicket.id;
      await repeat(world.services.ticketing, AssignTicketDocument, {
        input: { ticketId, engineerId: world.engineer.id, idempotencyKey: `${key}-assign` },
      });
      const { approveDataAccess } = await repeat(emails.organizationAdmin, ApproveDataAccessDocument, {
        input: { ticketId, idempotencyKey: `${key}-approve` },
      });
      const { id: grantId } = await record(approveDataAccess);
      const { revokeDataAccess } = await repeat(emails.organizationAdmin, RevokeDataAccessDocument, {
        input: { grantId, idempotencyKey: `${key}-revoke` },
      });
      await record(revokeDataAccess);
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
