/** A gateway behind docker/nginx.conf that can be stopped, and started at another address. */
import { readFile } from 'node:fs/promises';
import { defaultLimits } from '../../src/http/limits.ts';
import type { DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { contextOf, startTestServer, type TestServer } from '../http/server-fixture.ts';

export class ProxiedGateway {
  readonly port: number;
  readonly #issuer: DevelopmentIssuer;
  #server: TestServer | undefined;
  /** Called with each operation that it runs. */
  #onOperation: () => void = () => undefined;

  constructor(port: number, issuer: DevelopmentIssuer) {
    this.port = port;
    this.#issuer = issuer;
  }

  async start(host = '127.0.0.1'): Promise<void> {
    this.#server = await startTestServer({
      host,
      port: this.port,
      limits: { drainIdleMs: defaultLimits.drainIdleMs },
      authenticate: (token) => this.#issuer.verifier.verify(token),
      isTrustedProxy: (address) => address === '127.0.0.1',
      createContext: (operation) => {
        this.#onOperation();
        return { ...contextOf(operation), serial: 0 };
      },
    });
  }

  async stop(): Promise<void> {
    await this.#server?.server.dispose();
  }

  /** Resolves when it has run many operations: the proxy has found that it answers. */
  untilUsed(): Promise<void> {
    let operations = 0;
    return new Promise((resolve) => {
      this.#onOperation = () => {
        operations += 1;
        if (operations === 40) resolve();
      };
    });
  }
}

/** docker/nginx.conf, but for its own address. */
export async function proxyConfiguration(port: number): Promise<string> {
  const shipped = await readFile(new URL('../../docker/nginx.conf', import.meta.url), 'utf8');
  return shipped.replace('listen 8080', `listen 127.0.0.1:${port}`).replace('pid /tmp/', 'pid ');
}

export const withoutLimits = (configuration: string): string =>
  configuration.replaceAll(/^ *limit_.*$/gm, '');

/** Sends mutations until `work` is done; returns the different answers. */
export async function answersWhile(
  send: () => Promise<Response>,
  work: () => Promise<void>,
): Promise<string[]> {
  const answers: string[] = [];
  let isOver = false;
  const callers = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const response = await send();
      answers.push(`${response.status} ${await response.text()}`);
    }
  });
  await work();
  isOver = true;
  await Promise.all(callers);
  return [...new Set(answers)];
}
