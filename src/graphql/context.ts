/** What every resolver gets: who asks, what the gateway offers, and loaders that live for one operation. */
import { initContextCache } from '@pothos/core';
import type { Dependencies } from '../commands/execute.ts';
import type { CursorSigner } from '../events/event-cursor.ts';
import type { Feed } from '../events/feed.ts';
import type { Viewer } from '../identity/viewer.ts';
import { Loaders } from './loaders.ts';

/** What the gateway offers to the API. */
export type Services = Dependencies & {
  feed: Feed;
  cursors: CursorSigner;
};

export type Context = {
  /** Null: no token, or a valid token of nobody we know. */
  viewer: Viewer | null;
  /** Whether a valid token was presented. */
  hasToken: boolean;
  services: Services;
  loaders: Loaders;
};

/** A context for one operation; its viewer was read when the operation began. */
export function createContext(
  services: Services,
  { viewer, hasToken }: Pick<Context, 'viewer' | 'hasToken'>,
): Context {
  return { viewer, hasToken, services, loaders: new Loaders(services.database, viewer) };
}

/**
 * From here on the operation reads anew: an operation may hold several mutations, or many events, and nothing
 * that was read, or planned to be read, before one of them counts after it.
 */
export function readAnew(context: Context): void {
  Object.assign(context, initContextCache());
  context.loaders = new Loaders(context.services.database, context.viewer);
}

/** The viewer of a field that the authorization table opens to signed-in accounts only. */
export function viewerOf({ viewer }: Context): Viewer {
  if (viewer === null) throw new Error('A field was resolved without a viewer: its authScopes are missing.');
  return viewer;
}
