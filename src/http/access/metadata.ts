import { RequestRefusedError } from '../request-refused.ts';
import { sendJson } from '../responses.ts';
import type { Route } from '../routes.ts';
import { sendRefusal, takeRequestId } from './protocol.ts';

export const paths = {
  metadata: '/.well-known/authzen-configuration',
  evaluation: '/access/v1/evaluation',
  evaluations: '/access/v1/evaluations',
  proxyCheck: '/access/v1/proxy-check',
} as const;

const maxAgeSeconds = 300;

/**
 * Describes the decision point to product backends.
 *
 * The URLs are the configured ones, never made of the request's `Host` or of what a proxy has forwarded: a backend
 * sends its token and its questions to these URLs and believes the answers, and whoever chose the `Host` of a request
 * that is then kept in a cache would receive them.
 *
 * @param publicUrl null: there is no description, and backends take the paths of the specification
 */
export function metadataRoute(publicUrl: () => string | null): Route {
  return {
    path: paths.metadata,
    sendRefusal,
    methods: {
      GET(request, response) {
        takeRequestId(request, response);
        const url = publicUrl();
        if (url === null)
          throw new RequestRefusedError(
            404,
            'NOT_FOUND',
            'PUBLIC_URL is not set, so this gateway does not know its own address. Use the paths of the specification: /access/v1/evaluation and /access/v1/evaluations.',
          );
        const metadata = {
          policy_decision_point: url,
          access_evaluation_endpoint: `${url}${paths.evaluation}`,
          access_evaluations_endpoint: `${url}${paths.evaluations}`,
        };
        sendJson(response, 200, metadata, { 'cache-control': `max-age=${maxAgeSeconds}` });
      },
    },
  };
}
