import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A client's components as Relay knows them: a page of a list, one thing by its id, a mutation, a subscription. */
const component = `
  graphql\`
    fragment Tickets_query on Query
    @refetchable(queryName: "TicketsPageQuery")
    @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
      tickets(first: $first, after: $after) @connection(key: "Tickets_tickets") {
        edges { node { id key accessEligibility { allowed obstacles { code fix } } } }
      }
    }\`;
  graphql\`
    fragment Tickets_grant on Grant @refetchable(queryName: "TicketsGrantQuery") {
      state
      ticket { key }
    }\`;
  graphql\`query TicketsQuery { ...Tickets_query }\`;
  graphql\`
    mutation TicketsApproveMutation($input: ApproveDataAccessInput!) {
      approveDataAccess(input: $input) {
        ... on Grant { id state version }
        ... on Error { code message }
      }
    }\`;
  graphql\`subscription TicketsSubscription { grantEvents { id cursor type grant { id state } } }\`;
`;

test('the Relay compiler accepts the schema: nodes, connections, refetching', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-relay-'));
  try {
    await mkdir(join(folder, 'src'));
    await cp(join(root, 'schema/schema.graphql'), join(folder, 'schema.graphql'));
    await writeFile(join(folder, 'src', 'Tickets.js'), component);
    await writeFile(
      join(folder, 'relay.config.json'),
      JSON.stringify({
        src: './src',
        schema: './schema.graphql',
        language: 'javascript',
        eagerEsModules: true,
      }),
    );
    const compile = promisify(execFile)(
      process.execPath,
      [join(root, 'node_modules/relay-compiler/cli.js')],
      {
        cwd: folder,
      },
    );
    await expect(compile).resolves.toBeDefined();
    expect(await readdir(join(folder, 'src', '__generated__'))).toContain('TicketsPageQuery.graphql.js');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
