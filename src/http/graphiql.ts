import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestRefusedError } from './request-refused.ts';
import { type Handler, pathOf, type Route } from './routes.ts';

/** A tab that GraphiQL opens with: a person, and an operation for them. */
export type PreparedTab = {
  /** Who this is, and what the operation does. */
  title: string;
  /** The tab's requests carry a development token of this person. */
  email: string;
  /** The name of its operation is the tab's label. */
  query: string;
  variables?: Readonly<Record<string, unknown>>;
};

/** The page can load nothing from other hosts. Inline styles are allowed, because the editor sets them. */
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
 * Serves GraphiQL with these tabs, which are read when somebody opens it first. A tab names its person in the header
 * `act-as`. The page's script replaces that header by a new token from `/dev/token`, so that the tabs stored in a browser
 * hold no token that expires.
 */
export function graphiqlPage(readTabs: () => Promise<readonly PreparedTab[]>): Handler {
  let page: string | undefined;
  return async (_request, response) => {
    page ??= pageWith(await readTabs());
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
    });
    response.end(page);
  };
}

function pageWith(tabs: readonly PreparedTab[]): string {
  const settings = JSON.stringify({
    tabs: tabs.map(({ title, email, query, variables }) => ({
      name: /\b(?:query|mutation|subscription)\s+(\w+)/.exec(query)?.[1] ?? '',
      query: `# You are ${title.replace(/\s+/g, ' ')}\n\n${query.trim()}\n`,
      variables: variables === undefined ? '' : JSON.stringify(variables, null, 2),
      headers: JSON.stringify({ 'act-as': email }, null, 2),
    })),
    // Other tabs, of an earlier version or another project, have another prefix.
    storagePrefix: `latchkey-${createHash('sha256').update(JSON.stringify(tabs)).digest('hex').slice(0, 12)}`,
  });
  return `<!doctype html>
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
    <script type="module" src="/graphiql/page.js"></script>
  </body>
</html>
`;
}

/** The files that the page loads: its own script, and those of installed packages. */
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
      readFile(new URL('../../src/http/graphiql-page.js', import.meta.url), 'utf8'),
    ),
    { path: '/graphiql/icon', methods: { GET: (_request, response) => void response.writeHead(204).end() } },
    { path: /^\/graphiql\/graphql-ws\/[\w-]+\.js$/, methods: { GET: sendGraphqlWsFile } },
  ];
}

const ownStyle = `
body { margin: 0; }
#root { height: 100vh; }
/* While a tab is pressed, GraphiQL moves it by the distance of a drag, and the click misses it. */
.graphiql-tab { transform: none !important; }
/* Small labels, and space for the button that closes a tab on the active tab only: all prepared tabs fit beside each other. */
.graphiql-tab .graphiql-tab-button { font-size: 12px; padding-left: var(--px-4); }
.graphiql-tab:not(.graphiql-tab-active) .graphiql-tab-button { padding-right: var(--px-4); }
.graphiql-tab:not(.graphiql-tab-active) .graphiql-tab-close { display: none; }
`;

/** The package has nine megabytes, so it is loaded only when somebody opens the page. */
const loadPackage = () => import('@graphql-yoga/render-graphiql/graphiql');

function asset(path: string, type: string, read: () => Promise<string>): Route {
  let file: TaggedFile | undefined;
  return {
    path,
    methods: {
      GET: async (request, response) => {
        file ??= tagged(await read());
        send(request, response, type, file);
      },
    },
  };
}

/** A file with the tag by which a browser asks whether what it keeps is still the same: RFC 9110, section 8.8.3. */
type TaggedFile = { readonly body: Buffer; readonly etag: string };

function tagged(text: string): TaggedFile {
  const body = Buffer.from(text);
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}

/** Serves the module of the WebSocket client and the modules that it imports from its own folder. */
const sendGraphqlWsFile: Handler = async (request, response) => {
  const name = pathOf(request)?.split('/').at(-1) ?? '';
  const entry = import.meta.resolve('graphql-ws/client');
  try {
    send(request, response, 'text/javascript', tagged(await readFile(new URL(name, entry), 'utf8')));
  } catch (error) {
    throw new RequestRefusedError(404, 'NOT_FOUND', 'There is no such file.', {}, { cause: error });
  }
};

/** The browser asks each time, and gets the file only if it has changed. */
function send(
  { headers }: IncomingMessage,
  response: ServerResponse,
  type: string,
  { body, etag }: TaggedFile,
): void {
  const isKept = headers['if-none-match'] === etag;
  response.writeHead(isKept ? 304 : 200, {
    ...{ 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' },
    etag,
  });
  response.end(isKept ? undefined : body);
}
