import type { IncomingMessage } from 'node:http';
import { foreignOrigin, isAddressedAsLoopback, isSameOrigin } from './origins.ts';
import { RequestRefusedError, readJson, sendJson } from './request-body.ts';
import type { Route } from './routes.ts';

/** Where tokens for development come from. Given only where anybody on this machine may be anyone. */
export type DevelopmentTokens = {
  /** Resolves to null when nobody has this email. */
  issue(email: string): Promise<{ token: string; expiresAt: Date } | null>;
  /** Emails one may ask for, to show to who asked for another. A few dozen at most. */
  people(): Promise<readonly string[]>;
};

const maxBodyBytes = 4 * 1024;
const maxEmailCharacters = 320;

/**
 * `POST /dev/token` `{"email": "…"}` → `{"token": "…", "expiresAt": "…"}`.
 *
 * Whoever gets here can become anyone, so a web page must not: other origins are refused, and so are hosts
 * other than this machine's own, which a page could be served under.
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
            `Nobody here has the email ${JSON.stringify(email)}. Ask for one of: ${known.join(', ')}.`,
            { people: known },
          );
        }
        sendJson(response, 200, { token: issued.token, expiresAt: issued.expiresAt.toISOString() });
      },
    },
  };
}

function requireThisMachine(request: IncomingMessage): void {
  if (!isAddressedAsLoopback(request)) {
    throw new RequestRefusedError(
      403,
      'HOST_NOT_ALLOWED',
      'Tokens for development are only given at localhost or 127.0.0.1.',
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
    throw new RequestRefusedError(400, 'BAD_REQUEST', 'Send {"email": "…"}, the email of one person.');
  }
  return email;
}
