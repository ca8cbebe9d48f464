import { brandWithType } from '@pothos/core';
import DataLoader from 'dataloader';
import type { FieldNode } from 'graphql';
import type { Account, AuditEntry, Prisma } from '../../prisma/generated/client/client.ts';
import { listPositions, type Place } from '../audit/positions.ts';
import { readTrailsOfGrants, type TrailOfGrant } from '../audit/record-store.ts';
import { type LogBeginning, readBeginnings } from '../audit/removals.ts';
import { type AskedProof, type Head, readHeads, readProofs } from '../audit/sealed-log.ts';
import { type ActionsWindow, listActionsOfSessions } from '../audit/store.ts';
import { listHealth, type StreamHealth } from '../audit/streams/store.ts';
import { listTimelines, type TimelineWindow } from '../audit/timeline-store.ts';
import { visibleTimelines } from '../authorization/visibility.ts';
import type { OpenChangeRequest } from '../changes/change-request.ts';
import type { ChangeRequestRow } from '../changes/row.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import { listTicketFacts, type TicketFacts } from '../commands/ticket-facts.ts';
import { type ActiveGrantsWindow, listActiveGrants } from '../grants/active-grants.ts';
import type { GrantRow } from '../grants/row.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Database } from '../platform/database.ts';
import type { PageWindow } from '../platform/page-windows.ts';
import type { ProposedChange } from '../proposals/store.ts';
import { type GrantorsWindow, listEligibleGrantors } from '../roles/store.ts';
import type { RovoDataDeletion } from '../rovo/store.ts';
import { listTickets, type TicketOnProduct } from '../tickets/store.ts';
import type { Hash } from '../transparency/merkle-tree.ts';
import { listResourceNames, type Resource } from './resource-names.ts';
import { listVisibleRows } from './visible-rows.ts';

/** Loaders that batch the reads of many fields of one operation into one statement. Each is created on first use. */
export class Loaders {
  readonly #prisma: Database['prisma'];
  readonly #pool: Database['pool'];
  readonly #viewer: Viewer | null;
  #eligibleGrantors: DataLoader<GrantorsWindow, Account[], string> | undefined;
  #tickets: DataLoader<string, TicketOnProduct | null> | undefined;
  #ticketFacts: DataLoader<string, TicketFacts | null> | undefined;
  #grants: DataLoader<string, GrantRow | null> | undefined;
  #sessionActions: DataLoader<ActionsWindow, AuditEntry[], string> | undefined;
  #auditPositions: DataLoader<Place, number | null, string> | undefined;
  #auditLogHeads: DataLoader<string, Head | null> | undefined;
  #auditProofs: DataLoader<AskedProof, Hash[], string> | undefined;
  #auditLogBeginnings: DataLoader<string, LogBeginning | null> | undefined;
  #trailsOfGrants: DataLoader<string, TrailOfGrant | null> | undefined;
  #proposedChanges: DataLoader<string, ProposedChange | null> | undefined;
  #seesTimeline: DataLoader<string, boolean> | undefined;
  #timelines: DataLoader<TimelineWindow, AuditEntry[], string> | undefined;
  readonly #activeGrants = new Map<
    readonly FieldNode[],
    DataLoader<ActiveGrantsWindow, GrantRow[], string>
  >();
  readonly #together = {
    pages: new Map<readonly FieldNode[], unknown>(),
    totals: new Map<readonly FieldNode[], unknown>(),
  };
  #changeRequests: DataLoader<string, ChangeRequestRow | null> | undefined;
  #openChangeRequests: DataLoader<string, OpenChangeRequest[]> | undefined;
  #rovoDataDeletions: DataLoader<string, RovoDataDeletion | null> | undefined;
  #auditStreamHealth: DataLoader<string, StreamHealth | null> | undefined;
  #visibleNodes: DataLoader<Resource, object | null, string> | undefined;
  #resourceNames: DataLoader<Resource, string | null, string> | undefined;

  /** @param viewer who runs the operation; null: nobody is signed in, so no node is visible */
  constructor({ prisma, pool }: Pick<Database, 'prisma' | 'pool'>, viewer: Viewer | null) {
    this.#prisma = prisma;
    this.#pool = pool;
    this.#viewer = viewer;
  }

  get eligibleGrantors(): DataLoader<GrantorsWindow, Account[], string> {
    this.#eligibleGrantors ??= new DataLoader((windows) => listEligibleGrantors(this.#prisma, windows), {
      cacheKeyFn: (window) => keyOf(window, window.place.product.id),
      maxBatchSize: 100,
    });
    return this.#eligibleGrantors;
  }

  /** Tickets with their site and product, by id; null for an id without a ticket. */
  get tickets(): DataLoader<string, TicketOnProduct | null> {
    this.#tickets ??= new DataLoader((ids) => listTickets(this.#prisma, ids), { maxBatchSize: 100 });
    return this.#tickets;
  }

  /** The facts on which commands on a ticket are decided, by ticket id; null for an id without a ticket. */
  get ticketFacts(): DataLoader<string, TicketFacts | null> {
    this.#ticketFacts ??= new DataLoader((ids) => listTicketFacts(this.#prisma, ids), { maxBatchSize: 100 });
    return this.#ticketFacts;
  }

  /** Grants as they are in the database now, by id; null for an id without a grant. */
  get grants(): DataLoader<string, GrantRow | null> {
    this.#grants ??= new DataLoader(
      async (ids) => {
        const found = await this.#prisma.grant.findMany({ where: { id: { in: [...ids] } } });
        const byId = new Map(found.map((row) => [row.id, row]));
        return ids.map((id) => byId.get(id) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#grants;
  }

  /** The first audit entries of support sessions. Two statements. */
  get sessionActions(): DataLoader<ActionsWindow, AuditEntry[], string> {
    this.#sessionActions ??= new DataLoader((windows) => listActionsOfSessions(this.#prisma, windows), {
      cacheKeyFn: ({ sessionId, order, limit }) => `${sessionId} ${order} ${limit}`,
      maxBatchSize: 100,
    });
    return this.#sessionActions;
  }

  /** The positions of audit entries; null for an entry that has none yet. */
  get auditPositions(): DataLoader<Place, number | null, string> {
    this.#auditPositions ??= new DataLoader((places) => listPositions(this.#prisma, places), {
      cacheKeyFn: ({ txid, seq }) => `${txid} ${seq}`,
      maxBatchSize: 500,
    });
    return this.#auditPositions;
  }

  /** The signed heads of the logs of organizations, by their ids; null for a log of which nothing is sealed. */
  get auditLogHeads(): DataLoader<string, Head | null> {
    this.#auditLogHeads ??= new DataLoader(
      async (logs) => {
        const heads = await readHeads(this.#pool, logs);
        return logs.map((log) => heads.get(log) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#auditLogHeads;
  }

  /** Where the logs of organizations begin, by their ids; null for a log of which nothing was removed. */
  get auditLogBeginnings(): DataLoader<string, LogBeginning | null> {
    this.#auditLogBeginnings ??= new DataLoader(
      async (logs) => {
        const beginnings = await readBeginnings(this.#pool, logs);
        return logs.map((log) => beginnings.get(log) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#auditLogBeginnings;
  }

  /** The hashes of ranges of the trees of logs: proofs. */
  get auditProofs(): DataLoader<AskedProof, Hash[], string> {
    this.#auditProofs ??= new DataLoader((asked) => readProofs(this.#pool, asked), {
      cacheKeyFn: ({ log, ranges }) => JSON.stringify([log, ranges]),
      maxBatchSize: 500,
    });
    return this.#auditProofs;
  }

  /** What the audit log has of a grant, by its id. */
  get trailsOfGrants(): DataLoader<string, TrailOfGrant | null> {
    this.#trailsOfGrants ??= new DataLoader(
      async (ids) => {
        const trails = await readTrailsOfGrants(this.#pool, ids);
        return ids.map((id) => trails.get(id) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#trailsOfGrants;
  }

  /** Proposed changes as they are in the database now, by id; null for an id without one. */
  get proposedChanges(): DataLoader<string, ProposedChange | null> {
    this.#proposedChanges ??= new DataLoader(
      async (ids) => {
        const found = await this.#prisma.proposedChange.findMany({ where: { id: { in: [...ids] } } });
        const byId = new Map(found.map((row) => [row.id, row]));
        return ids.map((id) => byId.get(id) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#proposedChanges;
  }

  /** Whether the viewer may see what has happened on a ticket, by its id. */
  get seesTimeline(): DataLoader<string, boolean> {
    this.#seesTimeline ??= new DataLoader((ids) => this.#areTimelinesVisible(ids), { maxBatchSize: 100 });
    return this.#seesTimeline;
  }

  /** Pages of the timelines of tickets, for a viewer who may see them. */
  get timelines(): DataLoader<TimelineWindow, AuditEntry[], string> {
    this.#timelines ??= new DataLoader((windows) => listTimelines(this.#prisma, windows), {
      cacheKeyFn: (window) => keyOf(window, window.ticketId),
      maxBatchSize: 100,
    });
    return this.#timelines;
  }

  /**
   * Pages of the grants that are active on sites at `now`, for a viewer who may see all of them. Two statements for each
   * selection: `query` reads what is selected on the grants at `field`.
   */
  activeGrants(
    field: readonly FieldNode[],
    query: { include?: Prisma.GrantInclude },
    now: Date,
  ): DataLoader<ActiveGrantsWindow, GrantRow[], string> {
    const known = this.#activeGrants.get(field);
    const loader =
      known ??
      new DataLoader<ActiveGrantsWindow, GrantRow[], string>(
        (windows) => this.#listActiveGrants(windows, query, now),
        { cacheKeyFn: (window) => keyOf(window, window.siteId), maxBatchSize: 100 },
      );
    this.#activeGrants.set(field, loader);
    return loader;
  }

  /** What several objects have at `field` of an operation, their pages or their totals, which `read` reads together. */
  togetherAt<Ask, Answer>(
    field: readonly FieldNode[],
    what: 'pages' | 'totals',
    read: (asked: readonly Ask[]) => Promise<Answer[]>,
  ): DataLoader<Ask, Answer> {
    const known = this.#together[what].get(field) as DataLoader<Ask, Answer> | undefined;
    const loader = known ?? new DataLoader<Ask, Answer>(read, { cache: false, maxBatchSize: 100 });
    this.#together[what].set(field, loader);
    return loader;
  }

  /** Change requests as they are in the database now, by id; null for an id without one. */
  get changeRequests(): DataLoader<string, ChangeRequestRow | null> {
    this.#changeRequests ??= new DataLoader(
      async (ids) => {
        const found = await this.#prisma.changeRequest.findMany({ where: { id: { in: [...ids] } } });
        const byId = new Map(found.map((row) => [row.id, row]));
        return ids.map((id) => byId.get(id) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#changeRequests;
  }

  /** The open change requests of tickets, by ticket id. */
  get openChangeRequests(): DataLoader<string, OpenChangeRequest[]> {
    this.#openChangeRequests ??= new DataLoader(
      async (ids) => {
        const found = Map.groupBy(
          await listOpenChangeRequests(this.#prisma, ids),
          ({ ticketId }) => ticketId,
        );
        return ids.map((id) => found.get(id) ?? []);
      },
      { maxBatchSize: 100 },
    );
    return this.#openChangeRequests;
  }

  /** Deletions of Rovo's data as they are in the database now, by id; null for an id without one. */
  get rovoDataDeletions(): DataLoader<string, RovoDataDeletion | null> {
    this.#rovoDataDeletions ??= new DataLoader(
      async (ids) => {
        const found = await this.#prisma.rovoDataDeletion.findMany({ where: { id: { in: [...ids] } } });
        const byId = new Map(found.map((row) => [row.id, row]));
        return ids.map((id) => byId.get(id) ?? null);
      },
      { maxBatchSize: 100 },
    );
    return this.#rovoDataDeletions;
  }

  /** How far streams of the audit log are; null for an id without a stream. */
  get auditStreamHealth(): DataLoader<string, StreamHealth | null> {
    this.#auditStreamHealth ??= new DataLoader((ids) => listHealth(this.#prisma, ids), { maxBatchSize: 100 });
    return this.#auditStreamHealth;
  }

  /**
   * Nodes by type and id; null for a node that does not exist or that the viewer may not see. One statement for each
   * type.
   */
  get visibleNodes(): DataLoader<Resource, object | null, string> {
    this.#visibleNodes ??= new DataLoader((resources) => this.#listVisibleNodes(resources), {
      cacheKeyFn: ({ type, id }) => `${type}:${id}`,
      maxBatchSize: 500,
    });
    return this.#visibleNodes;
  }

  /**
   * The names of the resources of audit entries; null for a resource that does not exist. One statement for each
   * type.
   */
  get resourceNames(): DataLoader<Resource, string | null, string> {
    this.#resourceNames ??= new DataLoader((resources) => listResourceNames(this.#prisma, resources), {
      cacheKeyFn: ({ type, id }) => `${type}:${id}`,
      maxBatchSize: 500,
    });
    return this.#resourceNames;
  }

  async #listActiveGrants(
    windows: readonly ActiveGrantsWindow[],
    query: { include?: Prisma.GrantInclude },
    now: Date,
  ): Promise<GrantRow[][]> {
    const pages = await listActiveGrants(this.#prisma, windows, now);
    const ids = pages.flat().map(({ id }) => id);
    const rows: GrantRow[] = await this.#prisma.grant.findMany({ ...query, where: { id: { in: ids } } });
    const byId = new Map(rows.map((row) => [row.id, row]));
    return pages.map((page) => page.flatMap(({ id }) => byId.get(id) ?? []));
  }

  async #areTimelinesVisible(ids: readonly string[]): Promise<boolean[]> {
    if (this.#viewer === null) return ids.map(() => false);
    const found = await this.#prisma.ticket.findMany({
      where: { AND: [{ id: { in: [...ids] } }, visibleTimelines(this.#viewer)] },
      select: { id: true },
    });
    const visible = new Set(found.map(({ id }) => id));
    return ids.map((id) => visible.has(id));
  }

  async #listVisibleNodes(resources: readonly Resource[]): Promise<(object | null)[]> {
    const viewer = this.#viewer;
    if (viewer === null) return resources.map(() => null);
    const nodes = new Map<string, object>();
    const readAll = [...Map.groupBy(resources, ({ type }) => type)].map(async ([type, ofType]) => {
      const ids = ofType.map(({ id }) => id);
      for (const row of await listVisibleRows(this.#prisma, viewer, type, { ids, query: {} })) {
        brandWithType(row, type as never);
        nodes.set(`${type}:${row.id}`, row);
      }
    });
    await Promise.all(readAll);
    return resources.map(({ type, id }) => nodes.get(`${type}:${id}`) ?? null);
  }
}

function keyOf({ below, above, order, limit }: PageWindow, of: string): string {
  return `${of} ${below ?? ''} ${above ?? ''} ${order} ${limit}`;
}
