import { withDeadline } from '../platform/deadline.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { sendJson } from './request-body.ts';
import type { Route } from './routes.ts';

/** One thing the gateway cannot serve without. */
export type ReadinessCheck = {
  /** As it is shown to whoever asks, for example `database`. */
  name: string;
  /** Resolves when it is there; rejects, or takes too long, when not. Never two at once. */
  check: () => Promise<unknown>;
};

/**
 * `/healthz`: the process answers. `/readyz`: it can serve; otherwise 503 naming what is not ready, and
 * nothing else, since anybody may ask. The reasons are on the log.
 */
export function healthRoutes(options: {
  checks: readonly ReadinessCheck[];
  isDraining: () => boolean;
  limits: Limits;
  log: Log;
}): Route[] {
  const { checks, isDraining, limits, log } = options;
  let underWay: Promise<string[]> | undefined;

  const findUnready = async (): Promise<string[]> => {
    const unready = await Promise.all(
      checks.map(async ({ name, check }) => {
        try {
          await withDeadline(check(), limits.readinessCheckMs, () => new Error('No answer in time.'));
          return [];
        } catch (error) {
          log.warn({ check: name, err: error }, 'A readiness check failed');
          return [name];
        }
      }),
    );
    return unready.flat();
  };

  return [
    {
      path: '/healthz',
      whileDraining: true,
      methods: { GET: (_request, response) => sendJson(response, 200, { status: 'ALIVE' }) },
    },
    {
      path: '/readyz',
      whileDraining: true,
      methods: {
        async GET(_request, response) {
          if (isDraining()) {
            sendJson(response, 503, { status: 'DRAINING' });
            return;
          }
          underWay ??= findUnready().finally(() => {
            underWay = undefined;
          });
          const unready = await underWay;
          if (unready.length === 0) sendJson(response, 200, { status: 'READY' });
          else sendJson(response, 503, { status: 'NOT_READY', notReady: unready });
        },
      },
    },
  ];
}
