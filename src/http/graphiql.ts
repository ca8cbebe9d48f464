import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { RequestRefusedError } from './request-refused.ts';
import { type Handler, pathOf, type Route } from './routes.ts';

/** A tab that GraphiQL opens with: one person, and something they can do. */
export type PreparedTab = {
  /** Who this is, in a few words: `Support engineer`. */
  title: string;
  /** The tab's requests carry a development token of this person. */
  email: string;
  /** Its operation's name is the tab's label. */
  query: string;
  variables?: Readonly<Record<string, unknown>>;
};

/** The page loads nothing from elsewhere, and could not. Its editor sets styles by itself. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * GraphiQL, with a tab for each person. A tab names its person in the header `act-as`; the page's script
 * replaces that by a fresh token from `/dev/token`, so that tabs a browser remembers never go stale.
 */
export function graphiqlPage(tabs: readonly PreparedTab[]): Handler {
  const settings = JSON.stringify({
    tabs: tabs.map(({ title, email, query, variables }) => ({
      name: /\b(?:query|mutation|subscription)\s+(\w+)/.exec(query)?.[1] ?? '',
      query: `# You are ${oneLine(title)}\n# Several at once? Open this page in two windows.\n\n${query.trim()}\n`,
      variables: variables === undefined ? '' : JSON.stringify(variables, null, 2),
      headers: JSON.stringify({ 'act-as': email }, null, 2),
    })),
    // What a browser remembers of other tabs, of an earlier version or another project, is left alone.
    storagePrefix: `latchkey-${createHash('sha256').update(JSON.stringify(tabs)).digest('hex').slice(0, 12)}`,
  });
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Latchkey</title>
    <link rel="icon" href="/graphiql/icon" />
    <link rel="stylesheet" href="/graphiql/style.css" />
  </head>
  <body>
    <noscript>GraphiQL needs JavaScript.</noscript>
    <div id="root"></div>
    <script type="application/json" id="settings">${settings.replaceAll('<', '\\u003c')}</script>
    <script src="/graphiql/graphiql.js"></script>
    <script type="module" src="/graphiql/page.js"></script>
  </body>
</html>
`;
  return (_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
    });
    response.end(html);
  };
}

/** What the page loads, all of it from installed packages. */
export function graphiqlRoutes(): Route[] {
  return [
    asset('/graphiql/graphiql.js', 'text/javascript', async () => (await loadPackage()).js),
    asset('/graphiql/style.css', 'text/css', async () => `${(await loadPackage()).css}\n${ownStyle}`),
    asset(
      '/graphiql/editor.worker.js',
      'text/javascript',
      async () => (await loadPackage()).editorWorkerService,
    ),
    asset('/graphiql/json.worker.js', 'text/javascript', async () => (await loadPackage()).jsonWorker),
    asset('/graphiql/graphql.worker.js', 'text/javascript', async () => (await loadPackage()).graphqlWorker),
    asset('/graphiql/page.js', 'text/javascript', () =>
      readFile(new URL('./graphiql-page.js', import.meta.url), 'utf8'),
    ),
    { path: '/graphiql/icon', methods: { GET: (_request, response) => void response.writeHead(204).end() } },
    { path: /^\/graphiql\/graphql-ws\/[\w-]+\.js$/, methods: { GET: sendGraphqlWsFile } },
  ];
}

/**
 * GraphiQL's tabs carry the offset of a drag from the start. Pressed, a tab would jump aside by it, and the
 * click be lost.
 */
const ownStyle = `
body { margin: 0; }
#root { height: 100vh; }
.graphiql-tab { transform: none !important; }
`;

/** Nine megabytes, so only loaded when somebody opens the page. */
const loadPackage = () => import('@graphql-yoga/render-graphiql/graphiql');

function asset(path: string, type: string, read: () => Promise<string>): Route {
  return { path, methods: { GET: async (_request, response) => send(response, type, await read()) } };
}

/** The WebSocket client's module and those it imports, which lie beside it in its package. */
const sendGraphqlWsFile: Handler = async (request, response) => {
  const name = pathOf(request)?.split('/').at(-1) ?? '';
  const entry = import.meta.resolve('graphql-ws/client');
  try {
    send(response, 'text/javascript', await readFile(new URL(name, entry), 'utf8'));
  } catch (error) {
    throw new RequestRefusedError(404, 'NOT_FOUND', 'There is no such file.', {}, { cause: error });
  }
};

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' });
  response.end(body);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
