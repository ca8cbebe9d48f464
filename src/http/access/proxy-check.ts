/**
 * The question of a proxy that enforces answers by the status of a subrequest without a body, as nginx' `auth_request`
 * does. An extension: the specification has no such binding.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EvaluationAnswer, EvaluationItem } from '../../access/evaluation.ts';

/** A header that a proxy could have built of anything is taken only as plain text. */
const plainText = /^[\x21-\x7e]([\x20-\x7e]{0,498}[\x21-\x7e])?$/;

const required = {
  subject: 'x-access-engineer',
  action: 'x-access-action',
  type: 'x-access-resource-type',
  id: 'x-access-resource-id',
} as const;
const resourceProperties = { site: 'x-access-site', product: 'x-access-product' } as const;
const context = {
  ticket: 'x-access-ticket',
  session: 'x-access-session',
  change_request: 'x-access-change-request',
  engineer_country: 'x-access-engineer-country',
  processing_region: 'x-access-processing-region',
  destination_region: 'x-access-destination-region',
} as const;

/** What the headers ask. What is wrong or missing makes the question a broken one, which is answered with no. */
export function readHeaders({ headers }: IncomingMessage): EvaluationItem {
  const names = Object.values({ ...required, ...resourceProperties, ...context });
  const wrong = names.find((name) => isGiven(headers[name]) && !plainText.test(String(headers[name])));
  if (wrong !== undefined) return { broken: `${wrong} must be at most 500 characters of visible ASCII.` };
  const missing = Object.values(required).find((name) => !isGiven(headers[name]));
  if (missing !== undefined) return { broken: `${missing} is missing.` };
  return {
    evaluation: {
      subject: { type: 'support_engineer', id: String(headers[required.subject]) },
      action: { name: String(headers[required.action]) },
      resource: {
        ...{ type: String(headers[required.type]), id: String(headers[required.id]) },
        properties: given(headers, resourceProperties),
      },
      context: given(headers, context),
    },
  };
}

/** Proxies leave out, or send empty, a header whose value is empty. */
function isGiven(value: string | string[] | undefined): boolean {
  return value !== undefined && value !== '';
}

function given(
  headers: IncomingMessage['headers'],
  names: Readonly<Record<string, string>>,
): Record<string, string> {
  const sent = Object.entries(names).filter(([, header]) => isGiven(headers[header]));
  return Object.fromEntries(sent.map(([key, header]) => [key, String(headers[header])]));
}

/** 204 for yes and 403 for no. Headers name the reason and the entry of the audit log. */
export function sendProxyAnswer(response: ServerResponse, { decision, context }: EvaluationAnswer): void {
  for (const [header, value] of [
    ['x-access-code', context?.['code']],
    ['x-access-evaluation', context?.['evaluation']],
  ] as const)
    if (typeof value === 'string') response.setHeader(header, value);
  const message = context?.['message'];
  response.writeHead(decision === true ? 204 : 403, {
    'cache-control': 'no-store',
    ...(decision ? {} : { 'content-type': 'text/plain; charset=utf-8' }),
  });
  response.end(decision || typeof message !== 'string' ? undefined : message);
}
