import { withDeadline } from '../platform/deadline.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { sendJson } from './responses.ts';
import type { Route } from './routes.ts';

/** Something the gateway cannot serve requests without. */
export type ReadinessCheck = {
  /** The public name: `database`. */
  name: string;
  /**
   * Resolves when it is available. Rejecting, or taking longer than `readinessCheckMs`, means it is not. One round of
   * checks starts only after the last has finished.
   */
  check: () => Promise<unknown>;
};

/**
 * `/healthz`: 200 while the process answers. `/readyz`: 200 if all checks pass; otherwise 503 with the names of
 * those that failed. It gives no reasons, because anybody may ask; those are in the log.
 */
export function healthRoutes(options: {
  checks: readonly ReadinessCheck[];
  isDraining: () => boolean;
  limits: Limits;
  log: Log;
}): Route[] {
  const { checks, isDraining, limits, log } = options;
  let running: Promise<string[]> | undefined;

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
          running ??= findUnready().finally(() => {
            running = undefined;
          });
          const unready = await running;
          if (unready.length === 0) sendJson(response, 200, { status: 'READY' });
          else sendJson(response, 503, { status: 'NOT_READY', notReady: unready });
        },
      },
    },
  ];
}
