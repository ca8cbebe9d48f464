import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const run = promisify(execFile);

/**
 * Starts a headless Chromium: the one that `CHROMIUM` names, else the one of this machine, else one installed with
 * apt where that is possible. Rejects with an error that says what to do when there is none.
 */
export async function launchBrowser(): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({
    executablePath: await findChromium(process.env['CHROMIUM']),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // The pages of a context share what one of them has compiled.
      '--process-per-site',
    ],
  });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

async function findChromium(named: string | undefined): Promise<string> {
  if (named !== undefined) {
    if (await answers(named)) return named;
    throw new Error(`CHROMIUM names ${named}, which does not run.`);
  }
  const present = await firstThatAnswers();
  if (present !== null) return present;
  await install();
  const installed = await firstThatAnswers();
  if (installed !== null) return installed;
  throw new Error('Chromium was installed but does not run. Name one that does with CHROMIUM.');
}

async function firstThatAnswers(): Promise<string | null> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const path = await run('which', [name]).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    );
    if (path !== null && (await answers(path))) return path;
  }
  return null;
}

async function answers(path: string): Promise<boolean> {
  return run(path, ['--version'], { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

async function install(): Promise<void> {
  if (process.getuid?.() !== 0 || !(await answers('apt-get'))) {
    throw new Error('These tests need Chromium. Install it, or name it with CHROMIUM=/path/to/chromium.');
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]) =>
    run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], { env, timeout: 280_000 });
  const packages = ['install', '-y', '--no-install-recommends', 'chromium'];
  try {
    await apt(...packages).catch(async () => {
      await apt('update');
      await apt(...packages);
    });
  } catch (error) {
    throw new Error('These tests need Chromium, and apt could not install it. Name one with CHROMIUM.', {
      cause: error,
    });
  }
}
