/** What `GET /audit/export.csv` is asked. */
import type { IncomingMessage } from 'node:http';
import { DateTime, upToMillisecond } from '../../graphql/date-time.ts';
import { badRequest } from '../request-refused.ts';
import { organizationIn, parametersOf, wholeNumber } from './request.ts';

export type ExportRequest = {
  /** As in a StreamRequest. */
  readonly organizationId: string | null;
  /** The entries at or after `from` and before `until`. */
  readonly period: { readonly from: Date | null; readonly until: Date | null };
  /** Only what comes after this position. */
  readonly after: number;
  /** Only what comes up to this position. */
  readonly through: number;
};

export const exportParameters = ['organization', 'from', 'until', 'after', 'through'] as const;

/** @throws RequestRefusedError 400 that names the parameter */
export function readExportRequest(request: IncomingMessage): ExportRequest {
  const given = parametersOf(request, exportParameters);
  const position = (name: string, byDefault: number) =>
    wholeNumber(name, given.get(name), byDefault, 0, Number.MAX_SAFE_INTEGER);
  const period = { from: momentIn('from', given.get('from')), until: momentIn('until', given.get('until')) };
  if (period.from !== null && period.until !== null && period.from > period.until)
    throw badRequest('until must not be before from.');
  return {
    organizationId: organizationIn(given.get('organization')),
    period,
    after: position('after', 0),
    through: position('through', Number.MAX_SAFE_INTEGER),
  };
}

function momentIn(name: string, text: string | null): Date | null {
  if (text === null) return null;
  try {
    return upToMillisecond(DateTime.parseValue(text));
  } catch {
    throw badRequest(`${name} must be a day such as 2026-01-31, or a moment by RFC 3339.`);
  }
}
