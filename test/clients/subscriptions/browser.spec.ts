/** The recipes in Chromium, bundled as they are. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../support/browser.ts';
import { grantEvents } from '../support/documents.ts';
import { type Access, openStage, type Stage } from '../support/stage.ts';
import { expectNothingLost, type Received } from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';
import type * as recipes from './index.ts';

let stack: AsyncDisposableStack;
let stage: Stage;
let browser: Browser;
let bundle: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  stage = stack.use(await openStage());
  browser = stack.use(await launchBrowser());
  const entry = fileURLToPath(new URL('index.ts', import.meta.url));
  const lib = { entry, formats: ['iife' as const], name: 'recipes' };
  const built = await build({ configFile: false, logLevel: 'error', build: { lib, write: false } });
  const [chunk] = [built].flat().flatMap((made) => ('output' in made ? made.output : []));
  if (chunk?.type === 'chunk') bundle = chunk.code;
});
afterAll(() => stack.disposeAsync());

type Globals = {
  recipes: typeof recipes;
  nextToken(): Promise<string>;
  onEvent(event: Received[number]): void;
};

/** A page of the gateway's own origin, with the recipes. */
async function openPage({ httpUrl, getToken }: Access, onEvent: Globals['onEvent']): Promise<Page> {
  const page = await browser.newPage({ bypassCSP: true });
  await page.exposeFunction('nextToken', getToken);
  await page.exposeFunction('onEvent', onEvent);
  await page.goto(new URL('/healthz', httpUrl).href);
  await page.addScriptTag({ content: bundle });
  return page;
}

test.each(['createSockets', 'createEventStreams', 'createEventSources'] as const)(
  '%s loses no event when connections are cut and the gateway restarts',
  async (recipe) => {
    await using unsteady = await openUnsteadyGateway(stage);
    const access = unsteady.accessOf(stage.world.services.watching);
    const received: Received = [];
    const page = await openPage(access, (event) => void received.push(event));
    const { httpUrl, webSocketUrl } = access;
    await page.evaluate(
      ({ recipe, query, ...urls }) => {
        const { recipes, nextToken, onEvent } = globalThis as unknown as Globals;
        const client = recipes[recipe]({ ...urls, token: '', getToken: nextToken });
        client.subscribe<{ grantEvents: Received[number] }>(
          { query },
          {
            next: ({ data }) => data && onEvent(data.grantEvents),
            error: () => undefined,
            complete: () => undefined,
          },
        );
      },
      { recipe, query: grantEvents, httpUrl, webSocketUrl },
    );
    await expectNothingLost(stage, unsteady, received);
    await page.close();
  },
);

describe("the browser's own EventSource", () => {
  test('cannot send a token, and is closed', async () => {
    const access = stage.accessOf(await stage.asEngineer());
    const page = await openPage(access, () => undefined);
    const state = await page.evaluate(
      (url) => {
        const source = new EventSource(url);
        return new Promise<number>((resolve) => {
          source.onerror = () => resolve(source.readyState);
        });
      },
      `${access.httpUrl}?${new URLSearchParams({ query: grantEvents })}`,
    );
    expect(state).toBe(2);
    await page.close();
  });
});
