/** A real deployment: two gateway processes on one database and one Redis, with an OpenID issuer. */
import { createGatewayClient, type GatewayClient } from '../../client/src/index.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { startGateway } from '../support/gateway.ts';
import { createDatabaseWithWorld, done, fileTicket, type World, withPeople } from '../support/world.ts';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts';

export type Deployment = {
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  /** Two customers, each with an open request: `engineer` is assigned at Acme, `otherEngineer` at Globex. */
  readonly world: World;
  /** A client for this person at this port. Its subscriptions end with the deployment. */
  clientOf(email: string, port: number): GatewayClient;
  tokenOf(email: string): Promise<string>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** @param place.environment what the gateways have besides, or otherwise, in their environment */
export async function startDeployment(place: {
  databaseUrl: string;
  redisUrl: string;
  environment?: Readonly<Record<string, string>>;
}): Promise<Deployment> {
  await using begun = new AsyncDisposableStack();
  const world = await fillDatabase(place.databaseUrl);
  const issuer = begun.use(await startIssuer());
  const sign = await issuer.addKey('ES256');
  const tokenOf = (email: string) => sign({ sub: email, email, email_verified: true });
  const environment = {
    DATABASE_URL: place.databaseUrl,
    REDIS_URL: place.redisUrl,
    OIDC_ISSUER: issuerName,
    OIDC_AUDIENCE: audienceName,
    OIDC_JWKS_URL: issuer.jwksUrl,
    CURSOR_SECRET: 'a secret of the tests that is long enough',
    // A stop takes as long as the machine needs: tests measure it.
    SHUTDOWN_GRACE_SECONDS: '60',
    ...place.environment,
  };
  const startOne = async () =>
    begun.adopt(await startGatewayProcess(environment), (gateway) => gateway.dispose());
  const gateways = await Promise.all([startOne(), startOne()]);
  const clients = begun.adopt(new Map<string, GatewayClient>(), async (all) => {
    await Promise.all([...all.values()].map((client) => client.dispose()));
  });
  const running = begun.move();
  const dispose = () => running.disposeAsync();
  return {
    gateways,
    world,
    clientOf(email, port) {
      const url = `http://127.0.0.1:${port}`;
      const known = clients.get(`${email} ${url}`);
      if (known !== undefined) return known;
      const client = createGatewayClient({ url, token: () => tokenOf(email) });
      clients.set(`${email} ${url}`, client);
      return client;
    },
    tokenOf,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Fills the database through a temporary gateway. */
async function fillDatabase(databaseUrl: string): Promise<World> {
  const filled = await createDatabaseWithWorld();
  await restoreInto(databaseUrl, await dumpOf(filled.url));
  await filled.dispose();
  await using office = await startGateway({ databaseUrl, maintenance: false });
  const world = await withPeople(office, filled.contents);
  await fileTicket(office, world, { customer: 'acme' });
  const { ticketId } = await fileTicket(office, world, { customer: 'globex' });
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
  // The people sign in to the deployment's issuer for the first time.
  await office.sql.query('UPDATE accounts SET subject = NULL, subject_issuer = NULL');
  return world;
}
