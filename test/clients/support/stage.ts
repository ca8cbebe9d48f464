import { type Person, startGateway, type TestGateway } from '../../support/gateway.ts';
import { buildWorld, fileTicket, type PersonName, type World } from '../../support/world.ts';

/** Where a client reaches the gateway, and as whom. */
export type Access = {
  readonly httpUrl: string;
  readonly webSocketUrl: string;
  readonly token: string;
  /** A token that is valid now. */
  getToken(): Promise<string>;
};

/** A gateway with two customers and an engineer. */
export type Stage = {
  readonly gateway: TestGateway;
  readonly world: World;
  /** Somebody at the first customer. */
  as(person: PersonName): Promise<Person>;
  /** The engineer whom every ticket is assigned to. */
  asEngineer(): Promise<Person>;
  accessOf(person: Person): Access;
  /** Files tickets, each with an outstanding request. Returns the ids of the requests, newest first. */
  fileRequests(count: number): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

export async function openStage(): Promise<Stage> {
  const gateway = await startGateway();
  const world = await buildWorld(gateway);
  return {
    gateway,
    world,
    as: (person) => gateway.as(world.acme.emails[person]),
    asEngineer: () => gateway.as(world.engineer.email),
    accessOf: ({ token }) => ({
      httpUrl: `${gateway.url}/graphql`,
      webSocketUrl: `${gateway.url.replace('http', 'ws')}/graphql`,
      token,
      getToken: async () => token,
    }),
    fileRequests: async (count) => {
      const ids: string[] = [];
      for (let filed = 0; filed < count; filed += 1) {
        const { grantId } = await fileTicket(gateway, world);
        if (grantId === null) throw new Error('A ticket without an outstanding request');
        ids.unshift(grantId);
      }
      return ids;
    },
    [Symbol.asyncDispose]: () => gateway.dispose(),
  };
}
