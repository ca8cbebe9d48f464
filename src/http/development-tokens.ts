import type { IncomingMessage } from 'node:http';
import { foreignOrigin, isAddressedAsLoopback, isForwarded, isSameOrigin } from './origins.ts';
import { readJson } from './request-body.ts';
import { RequestRefusedError } from './request-refused.ts';
import { sendJson } from './responses.ts';
import type { Route } from './routes.ts';

/** Issues development tokens. Only for a gateway where everybody on this machine may act as any account. */
export type DevelopmentTokens = {
  /** Resolves to null when no active account has this email. */
  issue(email: string): Promise<{ token: string; expiresAt: Date } | null>;
  /** Emails to suggest to a caller who asked for an unknown one; a few dozen at most. */
  people(): Promise<readonly string[]>;
};

const maxBodyBytes = 4 * 1024;
const maxEmailCharacters = 320;

/**
 * `POST /dev/token` `{"email": "…"}` → `{"token": "…", "expiresAt": "…"}`.
 *
 * Its callers can act as anybody, so other machines and web pages must not reach it. It refuses what a proxy has
 * forwarded, other origins, and every host name but this machine's own, because a page could have been served under
 * such a name (DNS rebinding).
 */
export function developmentTokenRoute({ issue, people }: DevelopmentTokens): Route {
  return {
    path: '/dev/token',
    methods: {
      async POST(request, response) {
        requireThisMachine(request);
        const email = readEmail(await readJson(request, maxBodyBytes));
        const issued = await issue(email);
        if (issued === null) {
          const known = await people();
          throw new RequestRefusedError(
            404,
            'UNKNOWN_PERSON',
            `No active account has the email ${JSON.stringify(email)}. Ask for one of: ${known.join(', ')}.`,
            { people: known },
          );
        }
        sendJson(response, 200, { token: issued.token, expiresAt: issued.expiresAt.toISOString() });
      },
    },
  };
}

function requireThisMachine(request: IncomingMessage): void {
  if (isForwarded(request)) {
    throw new RequestRefusedError(
      403,
      'FORWARDED_NOT_ALLOWED',
      'Development tokens are not issued through a proxy or a tunnel: whoever reached it could be anybody.',
    );
  }
  if (!isAddressedAsLoopback(request)) {
    throw new RequestRefusedError(
      403,
      'HOST_NOT_ALLOWED',
      'Development tokens are only issued at localhost or 127.0.0.1.',
    );
  }
  const site = request.headers['sec-fetch-site'];
  const isOwnPage =
    isSameOrigin(request) && (site === undefined || site === 'same-origin' || site === 'none');
  if (!isOwnPage) throw foreignOrigin();
}

function readEmail(body: unknown): string {
  const email = typeof body === 'object' && body !== null && 'email' in body ? body.email : undefined;
  if (typeof email !== 'string' || email.length === 0 || email.length > maxEmailCharacters) {
    throw new RequestRefusedError(400, 'BAD_REQUEST', 'Send {"email": "…"}, the email of one account.');
  }
  return email;
}
