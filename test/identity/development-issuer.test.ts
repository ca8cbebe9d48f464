import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { InvalidTokenError } from '../../src/identity/tokens.ts';

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'latchkey-issuer-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test('issues a token for an email that its own verifier accepts for an hour', async () => {
  let now = new Date('2030-01-01T00:00:00Z');
  const issuer = await createDevelopmentIssuer({ clock: () => now });

  const { token, expiresAt } = await issuer.issue('ada@customer.example');

  expect(expiresAt).toEqual(new Date('2030-01-01T01:00:00Z'));
  expect(await issuer.verifier.verify(token)).toEqual({
    issuer: issuer.issuer,
    subject: 'ada@customer.example',
    email: 'ada@customer.example',
    expiresAt,
  });
  now = new Date('2030-01-01T01:00:06Z');
  await expect(issuer.verifier.verify(token)).rejects.toMatchObject({ fault: 'EXPIRED' });
});

test('publishes no private key', async () => {
  const issuer = await createDevelopmentIssuer();
  expect(issuer.jwks.keys).toHaveLength(1);
  expect(issuer.jwks.keys[0]).not.toHaveProperty('d');
});

test("refuses another issuer's token", async () => {
  const issuer = await createDevelopmentIssuer();
  const { token } = await (await createDevelopmentIssuer()).issue('ada@customer.example');
  await expect(issuer.verifier.verify(token)).rejects.toThrow(InvalidTokenError);
});

test('a key file lets tokens outlive a restart, and is for the owner alone', async () => {
  await using folder = await temporaryFolder();
  const keyFile = join(folder.path, 'issuer-key.json');
  const { token } = await (await createDevelopmentIssuer({ keyFile })).issue('ada@customer.example');

  const restarted = await createDevelopmentIssuer({ keyFile });

  await expect(restarted.verifier.verify(token)).resolves.toMatchObject({ email: 'ada@customer.example' });
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
});

test.each(['', 'not json', '{"kty":"RSA"}', 'null'])(
  'a broken key file says what to do: %j',
  async (content) => {
    await using folder = await temporaryFolder();
    const keyFile = join(folder.path, 'issuer-key.json');
    await writeFile(keyFile, content);
    await expect(createDevelopmentIssuer({ keyFile })).rejects.toThrow(/issuer-key\.json.*Delete it/);
  },
);
