import type { Config } from './config/config.ts';
import { explainConfig } from './config/explain.ts';

type Person = { readonly email: string; readonly title: string; readonly can: string };

/**
 * Returns the lines for the person who started a gateway: its addresses, its configuration, and what to do next.
 *
 * @param url where the gateway listens: `http://127.0.0.1:4000`
 * @param people the sample people; empty without sample data
 */
export function startScreen(url: string, config: Config, people: readonly Person[]): string[] {
  const isDevelopment = config.identity.kind === 'development';
  return [
    '',
    'Latchkey is running.',
    '',
    ...table([
      ...(isDevelopment ? [['GraphiQL', `${url}/graphql`, 'in a browser']] : []),
      ['GraphQL', `${url}/graphql`, 'over HTTP, server-sent events and WebSocket'],
      ['Healthy?', `${url}/healthz`],
      ['Ready?', `${url}/readyz`],
    ]),
    '',
    'Configuration (.env.example explains every variable):',
    ...explainConfig(config).map((line) => `  ${line}`),
    '',
    ...(people.length > 0 ? peopleAndCommands(url, people) : nextSteps(config)),
    '',
    config.database.kind === 'embedded'
      ? 'Ctrl-C stops everything. The next start keeps the data; `npm run reset` clears it.'
      : 'Ctrl-C or SIGTERM stops it.',
    '',
  ];
}

function peopleAndCommands(url: string, people: readonly Person[]): string[] {
  const at = url === 'http://127.0.0.1:4000' ? '' : ` -- ${url}`;
  return [
    'You can act as any of these people (POST /dev/token {"email": "…"} returns a token):',
    ...table(people.map(({ email, title, can }) => [email, title, can])),
    '',
    'See it work. In a second terminal, act as the support engineer, and leave it running:',
    '',
    `  npm run watch${at}`,
    '',
    'In a third terminal, act as a customer who approves, and look at the second:',
    '',
    `  npm run approve${at}`,
    '',
    'See the rules, each of them checked:',
    '',
    `  npm run tour${at}`,
  ];
}

function nextSteps({ bootstrapOperatorEmail }: Config): string[] {
  const start =
    bootstrapOperatorEmail === null
      ? 'If there is no operator yet, set BOOTSTRAP_OPERATOR_EMAIL and start again.'
      : `An operator sets up everything else through the API: ${bootstrapOperatorEmail}, if there was none yet.`;
  return [start, 'docs/operating.md says how to fill and run a deployment.'];
}

/** Aligns the cells in columns. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('   ')}`.trimEnd(),
  );
}
