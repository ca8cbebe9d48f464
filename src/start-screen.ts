/** What the person who started a gateway sees: where it is, how it is set up, and what to do next. */
import { type Config, explainConfig } from './config.ts';

type Person = { readonly email: string; readonly title: string; readonly can: string };

/**
 * @param url where the gateway listens: `http://127.0.0.1:4000`
 * @param people the sample people; empty where there are none
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
    'Its configuration (.env.example tells of every variable):',
    ...explainConfig(config).map((line) => `  ${line}`),
    '',
    ...(people.length > 0 ? peopleAndCommands(url, people) : nextSteps(config)),
    '',
    config.database.kind === 'embedded'
      ? 'Ctrl-C stops everything. The next start keeps the data; `npm run reset` clears it.'
      : 'Ctrl-C or SIGTERM stops it in order.',
    '',
  ];
}

function peopleAndCommands(url: string, people: readonly Person[]): string[] {
  const at = url === 'http://127.0.0.1:4000' ? '' : ` -- ${url}`;
  return [
    'Whom you can be (POST /dev/token {"email": "…"} answers a token; GraphiQL has a tab for most):',
    ...table(people.map(({ email, title, can }) => [email, title, can])),
    '',
    'See it work. In a second terminal, be the support engineer, and leave it running:',
    '',
    `  npm run watch${at}`,
    '',
    'In a third, be the customer who approves, and look at the second:',
    '',
    `  npm run approve${at}`,
    '',
    'Then the rules, one after the other, each checked:',
    '',
    `  npm run tour${at}`,
  ];
}

function nextSteps({ bootstrapOperatorEmail }: Config): string[] {
  const start =
    bootstrapOperatorEmail === null
      ? 'Where there is no operator yet, set BOOTSTRAP_OPERATOR_EMAIL and start again.'
      : `An operator, at first ${bootstrapOperatorEmail}, sets up everything else through the API.`;
  return [start, 'docs/operating.md says how to fill and run a deployment.'];
}

/** Columns as wide as they need to be; the last one as it is. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('   ')}`.trimEnd(),
  );
}
