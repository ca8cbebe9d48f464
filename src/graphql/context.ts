/** The context of every resolver: the viewer, the gateway's services, and the loaders of one operation. */
import { initContextCache } from '@pothos/core';
import type { Readings } from '../audit/readings.ts';
import type { LogTail } from '../audit/streams/tail.ts';
import type { Dependencies } from '../commands/execute.ts';
import type { ViewerInDoubt } from '../commands/viewer-in-doubt.ts';
import type { CursorSigner } from '../events/event-cursor.ts';
import type { Feed } from '../events/feed.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { UnsettledSites } from '../organizations/unsettled.ts';
import type { LaggingReads } from '../platform/replica.ts';
import type { RequestSource } from '../platform/request-source.ts';
import type { LogKeys } from '../transparency/log-keys.ts';
import { notPermitted } from './errors.ts';
import { Loaders } from './loaders.ts';

/** The services of the gateway that resolvers use. */
export type Services = Dependencies & {
  unsettledSites: UnsettledSites;
  feed: Feed;
  cursors: CursorSigner;
  /** Who reads the audit logs is on record. */
  readings: Readings;
  /** Reads audit logs where they may lag a little. */
  laggingReads: LaggingReads;
  /** Waits for new entries of audit logs. */
  auditTail: LogTail;
  /** With which the heads of audit logs are signed. Null: they are not sealed. */
  logKeys: LogKeys | null;
};

/** The operation that is running, on any transport. */
type Operation = {
  /** Aborts when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** The same, without a signal. */
  readonly isOver: boolean;
  /** Where its request came from. */
  readonly source: RequestSource;
};

export type Context = {
  /**
   * Null if the token belongs to no active account. After a mutation, and after a change
   * of rights while a subscription runs, the viewer has their rights of that moment.
   */
  viewer: Viewer | null;
  /** Of a query that begins before its viewer is read. Until it is settled, there is no viewer. */
  doubt?: ViewerInDoubt | undefined;
  operation: Operation;
  /** When the operation has to be answered, on the clock of `performance.now()`. */
  answerBy: number;
  services: Services;
  loaders: Loaders;
};

/** Creates the context of one operation. The viewer has their rights at the start of the operation. */
export function createContext(
  services: Services,
  given: Pick<Context, 'viewer' | 'doubt' | 'operation' | 'answerBy'>,
): Context {
  return { ...given, services, loaders: new Loaders(services.database, given.viewer) };
}

/**
 * Drops everything that the operation has cached or planned to read, so that later reads see the present state. An
 * operation may have several mutations or many events, and each of them may change what was read before it.
 */
export function clearReadCaches(context: Context): void {
  Object.assign(context, initContextCache());
  context.loaders = new Loaders(context.services.database, context.viewer);
}

/** Takes the viewer to be as they were. What comes of that counts only if `settleViewer` then says that they still are. */
export function assumeViewer(context: Context): void {
  if (context.doubt === undefined) return;
  context.viewer = context.doubt.remembered;
  clearReadCaches(context);
}

/** Whether the viewer is as the operation has taken them to be. If not, the context has them as they are from now on. */
export async function settleViewer(context: Context): Promise<boolean> {
  const { doubt, viewer: assumed } = context;
  if (doubt === undefined) return true;
  context.viewer = null;
  const now = await doubt.settle();
  context.doubt = undefined;
  context.viewer = now === 'SAME' ? doubt.remembered : now;
  if (now === 'SAME' && assumed !== null) return true;
  clearReadCaches(context);
  return false;
}

/**
 * Returns the viewer of a field that only signed-in accounts may use. The account may have been deactivated since the
 * operation began.
 */
export function viewerOf({ viewer }: Context): Viewer {
  if (viewer === null) throw notPermitted(viewer);
  return viewer;
}
