import { may, type OperationName } from '../../authorization/operations.ts';
import { relationsToPlatform } from '../../authorization/viewer-relations.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { findViewerAt } from '../../identity/viewer-store.ts';
import type { Context } from '../context.ts';

/**
 * Loads the rights of the viewer of a subscription anew. Returns the reason why it ends, or null.
 *
 * @param use gets the viewer as they are now, unless the account is deactivated
 */
export async function reloadViewer(
  { services: { database, unsettledSites } }: Context,
  { viewerId, operation }: { readonly viewerId: string; readonly operation: OperationName },
  use: (viewer: Viewer) => void,
): Promise<string | null> {
  const found = await findViewerAt(database.prisma, viewerId);
  if (found === null) return 'ACCOUNT_DEACTIVATED';
  unsettledSites.note(found.unsettledSites);
  use(found.viewer);
  return may(operation, relationsToPlatform(found.viewer)) ? null : 'NO_LONGER_ALLOWED';
}
