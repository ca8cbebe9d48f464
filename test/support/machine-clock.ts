/** The clock of the machine, as a program with a wrong one sees it. */
import { onTestFinished } from 'vitest';

const TrueDate = Date;
let ahead = 0;

class MachineDate extends TrueDate {
  constructor(...given: ConstructorParameters<typeof Date> | []) {
    if (given.length === 0) super(TrueDate.now() + ahead);
    else super(...given);
  }

  static override now(): number {
    return TrueDate.now() + ahead;
  }
}

/** From now on the clock of this machine is so many milliseconds ahead, and runs on. */
export function setMachineClock(milliseconds: number): void {
  ahead = milliseconds;
}

/** Lets the test call `setMachineClock`. The clock is right again when the test has finished. */
export function withMachineClock(): void {
  globalThis.Date = MachineDate as DateConstructor;
  onTestFinished(() => {
    globalThis.Date = TrueDate;
    ahead = 0;
  });
}
