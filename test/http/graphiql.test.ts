import { mkdir } from 'node:fs/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { launchBrowser } from '../support/browser.ts';
import { runProgram } from '../support/program.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';
import { bySize } from '../support/size.ts';
import { startTestServer } from './server-fixture.ts';

const tabs = [
  {
    title: 'Support engineer',
    email: 'engineer@vendor.example',
    query: 'subscription EngineerWatches {\n  values\n}',
  },
  {
    title: 'Site </script> admin',
    email: 'ada@customer.example',
    query: 'mutation AdminAdds($to: Int!) {\n  add(to: $to)\n}',
    variables: { to: 41 },
  },
  { title: 'Reporter', email: 'ben@customer.example', query: 'query ReporterIs {\n  whoAmI\n}' },
  {
    title:
      'Somebody with a title that is far longer than a line of the editor, and an operation that is, too',
    email: 'ben@customer.example',
    query: 'subscription Counts {\n  first: count(to: 3)\n}',
    variables: { text: 'A value without any use that is longer than a line of the editor shows in one row' },
  },
  { title: 'Refused', email: 'ben@customer.example', query: 'subscription IsRefused {\n  unknown\n}' },
];

async function startWithGraphiql() {
  const issuer = await createDevelopmentIssuer();
  return startTestServer({
    authenticate: (token) => issuer.verifier.verify(token),
    developmentTokens: {
      issue: async (email) => (tabs.some((tab) => tab.email === email) ? issuer.issue(email) : null),
      people: async () => tabs.map(({ email }) => email),
    },
    graphiql: { tabs: async () => tabs },
  });
}

const pressPlay = (page: Page) => page.getByRole('button', { name: /Execute query|Stop query/ }).click();
const result = (page: Page) => page.locator('.result-window');

test('is for browsers at /graphql, and only when asked for', async () => {
  await using withPage = await startWithGraphiql();
  const page = await fetch(withPage.url, { headers: { accept: 'text/html,*/*' } });
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await page.text()).not.toMatch(/https?:\/\//);
  const home = await fetch(withPage.origin, { redirect: 'manual' });
  expect(home.headers.get('location')).toBe('/graphql');

  await using without = await startTestServer();
  const answer = await fetch(without.url, { headers: { accept: 'text/html,*/*' } });
  expect(answer.status).toBe(401);
});

test('serves no other file of the packages it is made from', async () => {
  await using server = await startWithGraphiql();
  for (const name of ['client.cjs', '..%2fpackage.json', 'use/ws.js', 'missing.js', '']) {
    const response = await fetch(`${server.origin}/graphiql/graphql-ws/${name}`);
    expect(response.status, name).toBe(404);
  }
});

test('sends a file that the browser keeps only when it has changed', async () => {
  await using server = await startWithGraphiql();
  for (const path of ['/graphiql/page.js', '/graphiql/graphql-ws/client.js']) {
    const ask = (etag: string) => fetch(`${server.origin}${path}`, { headers: { 'if-none-match': etag } });
    const sent = await ask('"another"');
    expect([sent.status, (await sent.text()).length > 0], path).toEqual([200, true]);
    const kept = await ask(sent.headers.get('etag') ?? '');
    expect([kept.status, await kept.text()], path).toEqual([304, '']);
  }
});

describe('in a browser', { timeout: 300_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  beforeAll(async () => {
    browser = await launchBrowser();
    // One for all tests: pages of one context share a process, which compiles the editor once.
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(120_000);
  });
  afterAll(() => browser.close());

  test('every person can do at once what their tab says', async () => {
    await using server = await startWithGraphiql();
    const page = await newPage(context);
    const problems: string[] = [];
    const elsewhere: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== server.origin)
        elsewhere.push(request.url());
    });
    await page.goto(server.url);

    // The engineer's subscription, over a WebSocket of the engineer.
    await page.getByText('You are Support engineer').waitFor();
    await expectWhole(page);
    await pressPlay(page);
    await server.source.untilOpen(1);
    server.source.emit(7);
    await result(page).getByText('"values": 7').waitFor();

    // The admin in a second window, while the engineer goes on watching.
    const admin = await newPage(context);
    await admin.goto(`${server.url}#AdminAdds`);
    await admin.getByText('You are Site </script> admin').waitFor();
    await pressPlay(admin);
    await result(admin).getByText('"add": 42').waitFor();
    await screenshot(admin, 'mutation');
    server.source.emit(8);
    // The second event is added to the first.
    await result(page).getByText('"values": 8').waitFor();
    await result(page).getByText('"values": 7').waitFor();
    await screenshot(page, 'subscription');

    // The admin in the same window: opening another tab ends the subscription.
    await page.bringToFront();
    await openTab(page, 'AdminAdds');
    await page.getByText('You are Site </script> admin').waitFor();
    await server.source.untilOpen(0);
    await pressPlay(page);
    await result(page).getByText('"add": 42').waitFor();

    // The reporter's query is asked as the reporter.
    await openTab(page, 'ReporterIs');
    await page.getByText('You are Reporter').waitFor();
    await pressPlay(page);
    await result(page).getByText('"whoAmI": "ben@customer.example"').waitFor();

    // The engineer's tab still has its events, and says that it receives no more.
    await openTab(page, 'EngineerWatches');
    await result(page).getByText('Ended: another tab was opened.').waitFor();
    await result(page).getByText('"values": 8').waitFor();
    await untilStored(page, 0);
    await openTab(page, 'ReporterIs');
    await page.getByText('You are Reporter').waitFor();

    // And all of it still works when the page is opened again.
    await untilStored(page, 2);
    await page.reload();
    await page.getByText('You are Reporter').waitFor();
    expect(await tabNames(page)).toEqual([
      'EngineerWatches',
      'AdminAdds',
      'ReporterIs',
      'Counts',
      'IsRefused',
    ]);
    await openTab(page, 'AdminAdds');
    await page.getByText('You are Site </script> admin').waitFor();
    await pressPlay(page);
    await result(page).getByText('"add": 42').waitFor();

    // Also at an address that names a tab.
    await page.goto(`${server.url}#ReporterIs`);
    await page.reload();
    await page.getByText('You are Reporter').waitFor();
    expect(await tabNames(page)).toHaveLength(5);

    expect(problems).toEqual([]);
    expect(elsewhere).toEqual([]);
  });

  test('a subscription says how it ended', async () => {
    await using server = await startWithGraphiql();
    const page = await openPage(context, server.url);

    await page.getByText('You are Support engineer').waitFor();
    await pressPlay(page);
    await result(page).getByText('"received": 0').waitFor();
    await server.source.untilOpen(1);
    server.source.emit(7);
    await result(page).getByText('"values": 7').waitFor();
    await pressPlay(page);
    await result(page).getByText('Ended: you pressed the stop button.').waitFor();
    await result(page).getByText('"values": 7').waitFor();
    await server.source.untilOpen(0);

    await openTab(page, 'Counts');
    await page.getByText('You are Somebody').waitFor();
    await pressPlay(page);
    await result(page).getByText('Ended by the gateway.').waitFor();
    await result(page).getByText('"received": 3').waitFor();
    for (const count of [1, 2, 3]) await result(page).getByText(`"first": ${count}`).waitFor();
    await page.getByRole('button', { name: 'Execute query' }).waitFor();

    await openTab(page, 'IsRefused');
    await page.getByText('You are Refused').waitFor();
    await pressPlay(page);
    await result(page).getByText('Ended with an error.').waitFor();

    await openTab(page, 'EngineerWatches');
    await page.getByText('You are Support engineer').waitFor();
    await pressPlay(page);
    await server.source.untilOpen(1);
    await server.server.dispose();
    await result(page).getByText('Ended with an error.').waitFor();
    await result(page).getByText('The WebSocket was closed: 1001').waitFor();
  });

  const story = [
    'JackLooks',
    'CarlaTries',
    'JackApproves',
    'ErinStarts',
    'ErinEnds',
    'RitaCloses',
    'RitaReopens',
    'GinaApproves',
    'OliviaWatches',
    'OliviaLists',
    'OliviaAudits',
  ];
  const short = ['JackLooks', 'JackApproves', 'ErinStarts', 'RitaCloses', 'OliviaAudits'];
  const orders: [string, string[]][] = [
    ['in their order', bySize(short, story)],
    ['in the opposite order', story.toReversed()],
  ];
  /** What a newcomer may have run before. */
  const programs = ['src/tour/approve.ts', ...bySize([], ['src/tour/main.ts'])];
  test.each(bySize(orders.slice(0, 1), orders))(
    `every prepared tab shows its step whole after ${programs.join(' and ')}, %s`,
    async (_order, names) => {
      await using gateway = await startSampleGateway();
      for (const program of programs) {
        expect(await runProgram(program, gateway.url).ended).toMatchObject({ code: 0, stderr: '' });
      }
      const erin = await openPage(context, `${gateway.url}/graphql`);
      await erin.getByText('You are Erin').waitFor();
      await expectWhole(erin);
      expect(await tabNames(erin)).toEqual(['ErinWatches', ...story]);
      await pressPlay(erin);
      // The first event is `STARTED`.
      await result(erin).getByText('"received": 1').waitFor();

      const page = await openPage(context, `${gateway.url}/graphql`);
      const shown: Record<string, string> = {
        JackLooks: '"allowed": true',
        CarlaTries: '"code": "WRONG_PRODUCT"',
        JackApproves: '"state": "ACTIVE"',
        ErinStarts: '"state": "OPEN"',
        ErinEnds: '"endReason": "ENDED_BY_ENGINEER"',
        RitaCloses: '"endReason": "TICKET_CLOSED"',
        RitaReopens: '"state": "REVOKED"',
        GinaApproves: '"state": "ACTIVE"',
        OliviaWatches: '"received": ',
        OliviaLists: '"state": "PENDING_APPROVAL"',
        OliviaAudits: '"action": "',
      };
      for (const name of names) {
        await openTab(page, name);
        await page
          .getByText(name === 'JackApproves' ? 'he approves' : 'You are')
          .first()
          .waitFor();
        await pressPlay(page);
        await result(page)
          .getByText(shown[name] ?? '')
          .first()
          .waitFor();
        await screenshot(page, name);
      }
      // The beginning, and what became of Erin's grants.
      await result(erin)
        .getByText(`"received": ${bySize(3, 4)}`)
        .waitFor();
      await screenshot(erin, 'ErinWatches');
    },
  );
});

async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  onTestFinished(() => page.close());
  return page;
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await newPage(context);
  await page.goto(url);
  return page;
}

/** Opens the tab. The bar of the tabs and every line of its operation fit into a window 1,280 pixels wide. */
async function openTab(page: Page, name: string): Promise<void> {
  await page.locator('.graphiql-tab-button', { hasText: new RegExp(`^${name}$`) }).click();
  await page.locator('.graphiql-tab-active', { hasText: name }).waitFor();
  await expectWhole(page);
}

/** GraphiQL stores which tab is open a moment after it was opened. */
async function untilStored(page: Page, tab: number): Promise<void> {
  await page.waitForFunction((index) => {
    const key = Object.keys(sessionStorage).find((name) => name.endsWith('graphiql:tabState'));
    return key !== undefined && JSON.parse(sessionStorage.getItem(key) ?? '').activeTabIndex === index;
  }, tab);
}

async function expectWhole(page: Page): Promise<void> {
  expect(await clipped(page), page.url()).toEqual([]);
}

const tabNames = (page: Page) => page.locator('.graphiql-tab-button').allTextContents();

/** What does not fit: the bar of the tabs, and editors with a line that is not wrapped. */
function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const tabs = document.querySelector('.graphiql-tabs');
    const found = tabs === null || tabs.scrollWidth > tabs.clientWidth ? ['tabs'] : [];
    for (const line of document.querySelectorAll('.view-line > span')) {
      const editor = line.closest('.monaco-scrollable-element');
      if (editor !== null && line.getBoundingClientRect().right > editor.getBoundingClientRect().right) {
        found.push(line.textContent);
      }
    }
    return found;
  });
}

/** For a human to look at, where `SCREENSHOTS` names a folder. */
async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
