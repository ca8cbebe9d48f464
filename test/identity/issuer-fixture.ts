import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose';

export const issuerName = 'https://issuer.example';
export const audienceName = 'latchkey-test';

export type SigningAlgorithm = 'RS256' | 'ES256' | 'EdDSA' | 'PS256' | 'ES384';

/** An identity provider of its own: keys, and an HTTP server that publishes them as real ones do. */
export async function startIssuer() {
  const jwks: JSONWebKeySet = { keys: [] };
  let fetches = 0;
  let kids = 0;
  let answer: 'KEYS' | 'ERROR' | 'SILENCE' | 'NONSENSE' | 'NONE' = 'KEYS';
  const server = createServer((_request, response) => {
    fetches += 1;
    if (answer === 'ERROR') response.writeHead(500).end();
    if (answer === 'NONSENSE') response.end('{"keys": "none"}');
    if (answer === 'NONE') response.end('{"keys": []}');
    if (answer === 'KEYS') response.end(JSON.stringify(jwks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    jwksUrl: `http://127.0.0.1:${port}/keys`,
    jwks,
    fetches: () => fetches,
    answerWith(kind: typeof answer) {
      answer = kind;
    },
    /** A new key; it is published unless told otherwise. */
    async addKey(
      algorithm: SigningAlgorithm,
      { publish = true, withId = true, typ = undefined as unknown } = {},
    ) {
      const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
      const kid = `${algorithm}-${kids++}`;
      if (publish) {
        const publicJwk = await exportJWK(publicKey);
        jwks.keys.push(withId ? { ...publicJwk, kid, alg: algorithm } : { ...publicJwk, alg: algorithm });
      }
      return (claims: JWTPayload = {}) =>
        new SignJWT({
          iss: issuerName,
          aud: audienceName,
          sub: 'user-1',
          exp: Math.floor(Date.now() / 1_000) + 600,
          ...claims,
        })
          .setProtectedHeader({
            alg: algorithm,
            ...(withId ? { kid } : {}),
            ...(typ === undefined ? {} : { typ: typ as string }),
          })
          .sign(privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
