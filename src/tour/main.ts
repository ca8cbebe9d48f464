/**
 * `npm run tour`: plays the sample people against a running gateway and checks every step against the rules.
 * Exit code 1 when one differs. It files tickets of its own and closes them, so it can be run again and again.
 */
import { readArguments, UsageError } from './arguments.ts';
import { auditLog } from './chapters/audit-log.ts';
import { deactivatedSite } from './chapters/deactivated-site.ts';
import { inBulk } from './chapters/in-bulk.ts';
import { otherEndings } from './chapters/other-endings.ts';
import { restrictedSite } from './chapters/restricted-site.ts';
import { tickedBox } from './chapters/ticked-box.ts';
import { untickedTicket } from './chapters/unticked-ticket.ts';
import { UnmetExpectationError } from './expectations.ts';
import { runProgram } from './program.ts';
import { setStage } from './stage.ts';
import { createTimeline } from './timeline.ts';

/** Milliseconds for the whole tour. It takes a second or two. */
const deadlineMs = 60_000;

await runProgram(async () => {
  const { url, email } = readArguments();
  if (email !== null) throw new UsageError('The tour plays everybody: give it a URL, or nothing.');
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
    await restrictedSite(stage);
    await inBulk(stage);
    await deactivatedSite(stage);
    await otherEndings(stage);
    await auditLog(stage, ticketId);
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    process.stdout.write(
      `\nEverything went by the rules: ${timeline.met} of ${timeline.met} in ${seconds} s.\n`,
    );
  } catch (error) {
    if (!(error instanceof UnmetExpectationError)) throw error;
    process.stderr.write(
      `\nThe tour ends here, after ${timeline.met} that went by the rules.\n${error.message}\n`,
    );
    process.exitCode = 1;
  } finally {
    clearTimeout(tooLate);
  }
});
