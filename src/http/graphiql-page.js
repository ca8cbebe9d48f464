// Runs in the browser, on the page that graphiql.ts serves.
import { createClient } from '/graphiql/graphql-ws/client.js';

const settings = JSON.parse(document.getElementById('settings').textContent);

globalThis.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) =>
    `/graphiql/${label === 'json' || label === 'graphql' ? label : 'editor'}.worker.js`,
};

/**
 * What GraphiQL remembers: for each window, so that several people can be watched side by side, and apart
 * from that of other GraphiQLs on this host and port.
 */
const storage = {
  getItem: (key) => sessionStorage.getItem(`${settings.storagePrefix}:${key}`),
  setItem: (key, value) => sessionStorage.setItem(`${settings.storagePrefix}:${key}`, value),
  removeItem: (key) => sessionStorage.removeItem(`${settings.storagePrefix}:${key}`),
  get length() {
    return ownKeys().length;
  },
  clear() {
    for (const key of ownKeys()) sessionStorage.removeItem(key);
  },
};

function ownKeys() {
  return Object.keys(sessionStorage).filter((key) => key.startsWith(`${settings.storagePrefix}:`));
}

const oneMinuteMs = 60_000;
const tokens = new Map();

/** A token of this person that lasts at least another minute. */
async function tokenOf(email) {
  const known = tokens.get(email);
  if (known !== undefined && known.expiresAt - Date.now() > oneMinuteMs) return known.token;
  const response = await fetch('/dev/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  tokens.set(email, { token: answer.token, expiresAt: Date.parse(answer.expiresAt) });
  return answer.token;
}

/** The tab's headers, with a token in place of the person's email. */
async function headersToSend({ 'act-as': email, ...headers } = {}) {
  return email === undefined ? headers : { ...headers, authorization: `Bearer ${await tokenOf(email)}` };
}

async function fetcher({ query, variables, operationName }, { headers } = {}) {
  try {
    const sent = await headersToSend(headers);
    const operation = chooseOperation(query, operationName);
    const parameters = { query, variables, operationName: operation?.name };
    if (operation?.kind === 'subscription') return subscribe(parameters, sent);
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { ...sent, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(parameters),
    });
    return await response.json();
  } catch (error) {
    return asResult(error);
  }
}

/**
 * The operation of this name, else the first. Read from the text: what GraphiQL knows of it lags a moment
 * behind a change of tabs, and may still name an operation of the last one.
 */
function chooseOperation(query, operationName) {
  const code = query.replace(/#.*|"""[\s\S]*?"""|"(?:\\.|[^"\\])*"/g, '');
  const operations = [...code.matchAll(/\b(query|mutation|subscription)\b\s*(\w+)?\s*[({@]/g)].map(
    ([, kind, name]) => ({ kind, name }),
  );
  return operations.find(({ name }) => name === operationName) ?? operations[0];
}

/**
 * One WebSocket for each subscription, since each tab is another person. Not a generator: that could not be
 * told to stop while it waits for the next event.
 */
function subscribe(parameters, connectionParams) {
  const url = new URL('/graphql', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const client = createClient({ url: url.href, connectionParams, retryAttempts: 0 });
  const results = client.iterate(parameters);
  let failed = false;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (failed) return { value: undefined, done: true };
      try {
        return await results.next();
      } catch (error) {
        failed = true;
        return { value: asResult(error), done: false };
      }
    },
    async return() {
      client.dispose();
      return results.return();
    },
  };
}

/** Any failure as a result, which is what GraphiQL shows best. */
function asResult(error) {
  if (Array.isArray(error)) return { errors: error };
  const isClose = typeof error?.code === 'number' && 'reason' in error;
  const message = isClose
    ? `The WebSocket was closed: ${error.code} ${error.reason}`
    : String(error?.message);
  return { errors: [{ message }] };
}

/** The operation that the address names: /graphql#EngineerWatches opens with that tab. */
const named = location.hash.slice(1);

function preparedTabs() {
  const first = settings.tabs.filter(({ name }) => name === named);
  return [...first, ...settings.tabs.filter((tab) => !first.includes(tab))];
}

/**
 * Puts the active one of the tabs that GraphiQL remembers into its editors. It remembers those separately,
 * later, and opens one tab more when they differ. Returns whether there are any.
 */
function restoreActiveTab() {
  const state = JSON.parse(storage.getItem('graphiql:tabState') ?? '{}');
  const namedIndex = state.tabs?.findIndex(({ title }) => title === named) ?? -1;
  if (namedIndex >= 0) state.activeTabIndex = namedIndex;
  const active = state.tabs?.[state.activeTabIndex];
  if (active === undefined) return false;
  storage.setItem('graphiql:tabState', JSON.stringify(state));
  for (const part of ['query', 'variables', 'headers']) {
    storage.setItem(`graphiql:${part}`, active[part] ?? '');
  }
  return true;
}

const tabs = preparedTabs();
const isFirstVisit = !restoreActiveTab();

globalThis.YogaGraphiQL.renderYogaGraphiQL(document.getElementById('root'), {
  fetcher,
  storage,
  title: 'Latchkey',
  logo: '',
  defaultTabs: tabs,
  defaultHeaders: tabs[0]?.headers,
  // The editors of the first tab are filled from these; later from what the browser remembers.
  ...(isFirstVisit && tabs[0]
    ? { initialVariables: tabs[0].variables, initialHeaders: tabs[0].headers }
    : {}),
  // By default the page's address would follow the query, and a reload would open it in a further tab.
  onEditQuery() {},
});
