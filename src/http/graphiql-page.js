// Runs in the browser, on the page that graphiql.ts serves.
import { createClient } from '/graphiql/graphql-ws/client.js';

const settings = JSON.parse(document.getElementById('settings').textContent);

globalThis.MonacoEnvironment = {
  // Makes the editors reachable as `monaco`.
  globalAPI: true,
  getWorkerUrl: (_module, label) =>
    `/graphiql/${label === 'json' || label === 'graphql' ? label : 'editor'}.worker.js`,
};
await loadScript('/graphiql/graphiql.js');
// GraphiQL wraps the lines of a response; this wraps those of a query, its variables and headers as well.
globalThis.monaco.editor.onDidCreateEditor((editor) => editor.updateOptions({ wordWrap: 'on' }));

/** Resolves when the classic script has run. It reads MonacoEnvironment, which must be set before. */
function loadScript(src) {
  return new Promise((resolve, reject) => {
    document.head.append(
      Object.assign(document.createElement('script'), { src, onload: resolve, onerror: reject }),
    );
  });
}

/**
 * The storage of GraphiQL. Each window has its own, so that several people can be shown side by side. The prefix
 * keeps it apart from that of other GraphiQL pages on this host and port.
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

/** Returns a token of this person that is valid for at least one more minute. */
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

/** The tab's headers, with a token of the person instead of their email. */
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
 * Returns the operation with this name, or the first one. It is read from the text, because for a moment after a
 * change of tabs the name that GraphiQL gives may be that of an operation in the previous tab.
 */
function chooseOperation(query, operationName) {
  const code = query.replace(/#.*|"""[\s\S]*?"""|"(?:\\.|[^"\\])*"/g, '');
  const operations = [...code.matchAll(/\b(query|mutation|subscription)\b\s*(\w+)?\s*[({@]/g)].map(
    ([, kind, name]) => ({ kind, name }),
  );
  return operations.find(({ name }) => name === operationName) ?? operations[0];
}

/** How many events of a subscription are shown, at most. */
const eventsShown = 100;

/** Ends the subscription that runs in this window; undefined while there is none. */
let endSubscription;

/**
 * An observable of what to show for a subscription: whether it runs, and every event that arrived, the newest
 * first. Each subscription has a WebSocket of its own, since each tab is another person.
 *
 * It is an observable because GraphiQL drops an async iterator without asking for a last value.
 */
function subscribe(parameters, connectionParams) {
  return {
    subscribe(observer) {
      const url = new URL('/graphql', location.href);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      const client = createClient({ url: url.href, connectionParams, retryAttempts: 0 });
      const events = [];
      let count = 0;
      let isOver = false;
      const show = (subscription, errors) =>
        observer.next({ subscription, ...errors, received: count, events });
      const end = (how, errors) => {
        if (isOver) return;
        isOver = true;
        endSubscription = undefined;
        show(how, errors);
        observer.complete();
        client.dispose();
      };
      client.on('connected', () => {
        if (!isOver && count === 0) show('Running. Each event appears here when it arrives.');
      });
      client.subscribe(parameters, {
        next(result) {
          if (isOver) return;
          count += 1;
          events.unshift({ receivedAt: new Date().toISOString(), ...result });
          events.length = Math.min(events.length, eventsShown);
          show(
            `Running. ${count > eventsShown ? `The last ${eventsShown} events` : 'Its events'}, the newest first:`,
          );
        },
        error: (error) => end('Ended with an error.', asResult(error)),
        complete: () => end('Ended by the gateway.'),
      });
      endSubscription = end;
      return { unsubscribe: () => end('Ended: you pressed the stop button.') };
    },
  };
}

// GraphiQL ends the subscription of a tab when another tab is opened, and would leave the old tab as it was.
document.addEventListener(
  'click',
  ({ target }) => {
    const tab = target.closest('.graphiql-tab');
    if (tab !== null && !tab.classList.contains('graphiql-tab-active')) {
      endSubscription?.(
        'Ended: another tab was opened. To see events beside another tab, open a second window.',
      );
    }
  },
  { capture: true },
);

/** A failure in the form of a GraphQL result, which GraphiQL can show. */
function asResult(error) {
  if (Array.isArray(error)) return { errors: error };
  const isClose = typeof error?.code === 'number' && 'reason' in error;
  const message = isClose
    ? `The WebSocket was closed: ${error.code} ${error.reason}`.trim()
    : String(error?.message);
  return { errors: [{ message }] };
}

/** The name of the operation whose tab opens first: /graphql#ErinWatches. */
const named = location.hash.slice(1);

function preparedTabs() {
  const first = settings.tabs.filter(({ name }) => name === named);
  return [...first, ...settings.tabs.filter((tab) => !first.includes(tab))];
}

/**
 * Copies the active one of the stored tabs into the stored editors. GraphiQL stores both, at different times, and
 * opens an additional tab when they differ. Returns whether tabs are stored.
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
  // On the first visit these fill the editors; later the storage does.
  ...(isFirstVisit && tabs[0]
    ? { initialVariables: tabs[0].variables, initialHeaders: tabs[0].headers }
    : {}),
  // By default GraphiQL puts the query into the page's address, and a reload opens it in an additional tab.
  onEditQuery() {},
});
