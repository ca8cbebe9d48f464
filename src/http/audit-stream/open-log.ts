/** Whose whole log somebody may read as a stream. */
import { may } from '../../authorization/operations.ts';
import { relationsToLog, seesOrganization } from '../../authorization/viewer-relations.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { vendorOrganizationId } from '../../roles/vendor-organization.ts';
import { RequestRefusedError } from '../request-refused.ts';

/**
 * The id of the log that the viewer reads: of the organization that is asked for, or the one log that they may read.
 *
 * @param hasGuard whether an organization has Guard
 * @throws RequestRefusedError 403 or 404, and 400 for somebody who may read several
 */
export async function openLog(
  viewer: Viewer | null,
  asked: string | null,
  hasGuard: (organizationId: string) => Promise<boolean>,
): Promise<string> {
  if (viewer === null) throw forbidden('This account is not active, or is none of this deployment.');
  const logId = asked ?? onlyLogOf(viewer);
  const relations = relationsToLog(viewer, logId);
  if (!may('streamAuditLog', relations)) {
    if (logId === vendorOrganizationId || seesOrganization(relations))
      throw forbidden(
        'Only organization admins, auditors and Guard admins of the whole organization, and its service accounts with AUDIT_READING, stream its audit log.',
      );
    throw new RequestRefusedError(
      404,
      'NOT_FOUND',
      'There is no such organization, or it is not yours to see.',
    );
  }
  if (logId !== vendorOrganizationId && !(await hasGuard(logId)))
    throw new RequestRefusedError(
      403,
      'ORGANIZATION_WITHOUT_GUARD',
      'The organization does not have Guard, so its audit log is not streamed. The query auditLog reads it.',
    );
  return logId;
}

function onlyLogOf(viewer: Viewer): string {
  if (viewer.kind === 'SERVICE_ACCOUNT') return viewer.organizationId ?? vendorOrganizationId;
  if (viewer.kind !== 'USER') return vendorOrganizationId;
  const read = viewer.organizationIds.filter((id) => may('streamAuditLog', relationsToLog(viewer, id)));
  const [only, another] = read.length === 0 ? viewer.organizationIds : read;
  if (another !== undefined && read.length > 0)
    throw new RequestRefusedError(
      400,
      'BAD_REQUEST',
      'You may read the logs of several organizations: name one as organization.',
    );
  return only ?? vendorOrganizationId;
}

function forbidden(message: string): RequestRefusedError {
  return new RequestRefusedError(403, 'FORBIDDEN', message);
}
