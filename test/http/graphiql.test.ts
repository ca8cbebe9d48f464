import { mkdir } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { launchBrowser } from '../support/browser.ts';
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
];

async function startWithGraphiql() {
  const issuer = await createDevelopmentIssuer();
  return startTestServer({
    authenticate: (token) => issuer.verifier.verify(token),
    developmentTokens: {
      issue: async (email) => (tabs.some((tab) => tab.email === email) ? issuer.issue(email) : null),
      people: async () => tabs.map(({ email }) => email),
    },
    graphiql: { tabs },
  });
}

const pressPlay = (page: Page) => page.getByRole('button', { name: /Execute query|Stop query/ }).click();
const openTab = (page: Page, name: string) => page.getByRole('tab', { name }).click();
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
  expect(answer.status).toBe(400);
});

test('serves no other file of the packages it is made from', async () => {
  await using server = await startWithGraphiql();
  for (const name of ['client.cjs', '..%2fpackage.json', 'use/ws.js', 'missing.js', '']) {
    const response = await fetch(`${server.origin}/graphiql/graphql-ws/${name}`);
    expect(response.status, name).toBe(404);
  }
});

describe('in a browser', { timeout: 300_000 }, () => {
  test('every person can do at once what their tab says', async () => {
    await using server = await startWithGraphiql();
    await using browser = await launchBrowser();
    const context = await browser.newContext({ viewport: { width: 1400, height: 800 } });
    const page = await context.newPage();
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
    await pressPlay(page);
    await server.source.untilOpen(1);
    server.source.emit(7);
    await result(page).getByText('"values": 7').waitFor();
    await screenshot(page, 'subscription');

    // The admin in a second window, while the engineer goes on watching.
    const admin = await context.newPage();
    await admin.goto(`${server.url}#AdminAdds`);
    await admin.getByText('You are Site </script> admin').waitFor();
    await pressPlay(admin);
    await result(admin).getByText('"add": 42').waitFor();
    await screenshot(admin, 'mutation');
    server.source.emit(8);
    await result(page).getByText('"values": 8').waitFor();

    // The admin in the same window: GraphiQL ends the subscription of the tab one leaves.
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

    // And all of it still works when the page is opened again.
    await page.waitForFunction(() => {
      const key = Object.keys(sessionStorage).find((name) => name.endsWith('graphiql:tabState'));
      return key !== undefined && JSON.parse(sessionStorage.getItem(key) ?? '').activeTabIndex === 2;
    });
    await page.reload();
    await page.getByText('You are Reporter').waitFor();
    expect(await page.locator('.graphiql-tab-button').allTextContents()).toEqual([
      'EngineerWatches',
      'AdminAdds',
      'ReporterIs',
    ]);
    await openTab(page, 'AdminAdds');
    await page.getByText('You are Site </script> admin').waitFor();
    await pressPlay(page);
    await result(page).getByText('"add": 42').waitFor();

    // Also at an address that names a tab.
    await page.goto(`${server.url}#ReporterIs`);
    await page.reload();
    await page.getByText('You are Reporter').waitFor();
    expect(await page.locator('.graphiql-tab-button').count()).toBe(3);

    expect(problems).toEqual([]);
    expect(elsewhere).toEqual([]);
  });
});

/** For a human to look at, where `SCREENSHOTS` names a folder. */
async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
