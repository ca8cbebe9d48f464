/** What is bundled: the gateway with everything that it loads at its start. */
import { once } from 'node:events';
import { createApp } from './app.ts';
import { parseConfig, readEnvironment } from './config/environment.ts';
import { StartupError } from './platform/startup-error.ts';
import { explainStartFailure } from './start-failure.ts';

export { createApp };

/**
 * Runs a gateway by the variables of the environment until the signal is aborted, and returns the exit code. If it does not
 * stop in time, it ends the process.
 */
export async function runGateway(stop: AbortSignal): Promise<0 | 1> {
  try {
    const stopped = once(stop, 'abort').then(() => null);
    const config = parseConfig(readEnvironment());
    const app = await createApp(config, { stop }).catch((error: unknown) => {
      throw explainStartFailure(error, config);
    });
    for (const line of app.startScreen) process.stdout.write(`${line}\n`);
    const failure = stop.aborted ? null : await Promise.race([stopped, app.failed]);
    const late = setTimeout(() => {
      process.stderr.write(
        `The gateway did not stop within ${config.shutdownGraceMs / 1_000} s and was ended.\n`,
      );
      process.exit(1);
    }, config.shutdownGraceMs);
    await app.dispose();
    clearTimeout(late);
    if (failure !== null) throw failure;
    return 0;
  } catch (error) {
    const report =
      error instanceof StartupError ? error.message : error instanceof Error ? error.stack : String(error);
    // If a start fails after a signal, the signal is the cause: there is nothing to report.
    if (!stop.aborted) process.stderr.write(`${report}\n`);
    return 1;
  }
}
