/**
 * `npm run tour`: acts as the sample people on a running gateway and checks the result of every step. The exit code
 * is 1 when a result differs from the rules. It files its own tickets and closes them, so it can be repeated.
 */
import { readArguments, UsageError } from './arguments.ts';
import { auditLog } from './chapters/audit-log.ts';
import { deactivatedSite } from './chapters/deactivated-site.ts';
import { inBulk } from './chapters/in-bulk.ts';
import { otherEndings } from './chapters/other-endings.ts';
import { restrictedSite } from './chapters/restricted-site.ts';
import { tickedBox } from './chapters/ticked-box.ts';
import { untickedTicket } from './chapters/unticked-ticket.ts';
import { usingAGrant } from './chapters/using-a-grant.ts';
import { UnmetExpectationError } from './expectations.ts';
import { runProgram } from './program.ts';
import { setStage } from './stage.ts';
import { createTimeline } from './timeline.ts';

/** How long the tour may take, in milliseconds. It usually takes two seconds. */
const deadlineMs = 300_000;

await runProgram(async () => {
  const { url, email } = readArguments();
  if (email !== null) throw new UsageError('The tour acts as everybody: give it a URL or nothing.');
  const tooLate = setTimeout(() => {
    process.stderr.write(`The tour did not end within ${deadlineMs / 1_000} s.\n`);
    process.exit(1);
  }, deadlineMs);
  const startedAt = performance.now();
  const timeline = createTimeline((line) => process.stdout.write(`${line}\n`));
  try {
    await using stage = await setStage(url, timeline);
    const ticketId = await untickedTicket(stage);
    await tickedBox(stage);
    await usingAGrant(stage);
    await restrictedSite(stage);
    await inBulk(stage);
    await deactivatedSite(stage);
    await otherEndings(stage);
    await auditLog(stage, ticketId);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    process.stdout.write(
      `\nEvery expectation was met: ${timeline.met} of ${timeline.met} in ${seconds} s.\n`,
    );
  } catch (error) {
    if (!(error instanceof UnmetExpectationError)) throw error;
    process.stderr.write(
      `\nThe tour ends here: after ${timeline.met} that were met, an expectation was not.\n${error.message}\n`,
    );
    process.exitCode = 1;
  } finally {
    clearTimeout(tooLate);
  }
});
