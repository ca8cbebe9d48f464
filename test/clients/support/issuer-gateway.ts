import { audienceName, issuerName, startIssuer } from '../../identity/issuer-fixture.ts';
import { startGateway } from '../../support/gateway.ts';
import type { Access, Stage } from './stage.ts';

/**
 * A gateway on the stage's database whose tokens come from an OpenID issuer: for accounts that have never signed in to
 * another gateway.
 */
export async function openIssuerGateway({ gateway: { databaseUrl } }: Stage) {
  await using begun = new AsyncDisposableStack();
  const issuer = begun.use(await startIssuer());
  const sign = await issuer.addKey('ES256');
  const { jwksUrl } = issuer;
  const identity = {
    kind: 'oidc',
    issuer: issuerName,
    audience: audienceName,
    jwksUrl,
    emailVerified: 'REQUIRED',
  } as const;
  const { url } = begun.use(await startGateway({ databaseUrl, config: { identity } }));
  const running = begun.move();
  return {
    /** The first token is valid for this many seconds, the others for ten minutes. `tokens` counts them. */
    accessOf(email: string, firstSeconds: number): Access & { tokens(): number } {
      let tokens = 0;
      return {
        httpUrl: `${url}/graphql`,
        webSocketUrl: `${url.replace('http', 'ws')}/graphql`,
        token: '',
        tokens: () => tokens,
        getToken() {
          tokens += 1;
          const seconds = tokens === 1 ? firstSeconds : 600;
          const exp = Math.ceil(Date.now() / 1_000) + seconds;
          return sign({ sub: email, email, email_verified: true, exp });
        },
      };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
