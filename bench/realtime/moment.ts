/** Milliseconds on the machine's steady clock, which all its processes read alike. */
export function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
