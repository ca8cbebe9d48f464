import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where Debian's packages have the sources of Go's libraries. */
const goPath = process.env['GOPATH'] ?? '/usr/share/gocode';

export type Verified = { readonly accepted: boolean; readonly said: string };

/**
 * The verifier of test/transparency/sumdb, made of golang.org/x/mod/sumdb; or why it cannot be built here.
 * The folder has what it has built.
 */
export async function buildSumdbVerifier(): Promise<
  | { readonly folder: string; readonly verify: (files: string, key: string) => Promise<Verified> }
  | { readonly missing: string }
> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-sumdb-'));
  const program = join(folder, 'sumdb');
  const source = fileURLToPath(new URL('../transparency/sumdb/main.go', import.meta.url));
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: goPath, GOCACHE: join(folder, 'cache') };
  try {
    await run('go', ['build', '-o', program, source], { env, timeout: 300_000 });
  } catch (error) {
    return {
      missing: `Go and golang.org/x/mod are needed (apt-get install golang-go golang-golang-x-mod-dev, or name their folder in GOPATH): ${(error as Error).message}`,
    };
  }
  const verify = (files: string, key: string): Promise<Verified> =>
    run(program, [files, key], { timeout: 60_000 }).then(
      ({ stdout }) => ({ accepted: true, said: stdout.trim() }),
      (error: { stdout?: string; message: string }) => ({
        ...{ accepted: false, said: error.stdout?.trim() || error.message },
      }),
    );
  return { folder, verify };
}
