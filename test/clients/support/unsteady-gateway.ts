import { expect } from 'vitest';
import { developmentToken } from '../../../client/src/development-token.ts';
import { startGateway } from '../../support/gateway.ts';
import { openTcpProxy } from '../../support/tcp-proxy.ts';
import { eventually } from './eventually.ts';
import type { Access, Stage } from './stage.ts';

/** A second gateway on the stage's database, behind a network that fails. */
export type UnsteadyGateway = AsyncDisposable & {
  /** Tokens are issued by the gateway itself: after a restart, older ones are invalid. */
  accessOf(email: string): Access;
  /** Breaks the connections and refuses new ones while `meanwhile` runs. */
  cut(meanwhile: () => Promise<void>): Promise<void>;
  /** Delivers nothing, as if packets were lost, until the client has opened another connection. */
  stall(): Promise<void>;
  /** Stops the gateway gracefully and starts another after `meanwhile`. */
  restart(meanwhile: () => Promise<void>): Promise<void>;
};

export async function openUnsteadyGateway({ gateway: { databaseUrl } }: Stage): Promise<UnsteadyGateway> {
  await using begun = new AsyncDisposableStack();
  const start = () => startGateway({ databaseUrl });
  let gateway = await start();
  begun.defer(() => gateway.dispose());
  const portOf = ({ url }: { url: string }) => Number(new URL(url).port);
  const proxy = begun.adopt(await openTcpProxy(() => portOf(gateway)), (opened) => opened.dispose());
  const running = begun.move();
  const origin = `127.0.0.1:${proxy.port}`;
  return {
    accessOf: (email) => ({
      httpUrl: `http://${origin}/graphql`,
      webSocketUrl: `ws://${origin}/graphql`,
      token: '',
      getToken: () => developmentToken(gateway.url, email)(),
    }),
    async cut(meanwhile) {
      proxy.cut();
      await meanwhile();
      proxy.resume();
    },
    async stall() {
      const { connections } = proxy;
      proxy.stall();
      await eventually(() => expect(proxy.connections).toBeGreaterThan(connections));
      proxy.resume();
    },
    async restart(meanwhile) {
      await gateway.dispose();
      await meanwhile();
      gateway = await start();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
