const nameWidth = 10;

/** What the tour prints: its chapters, who does what, and which expectations were met. */
export type Timeline = {
  chapter(title: string): void;
  /** A person does something or receives an event. */
  line(who: string, what: string): void;
  /** More about the previous line. */
  detail(text: string): void;
  /** How many expectations were met so far. */
  readonly met: number;
  /** Prints an expectation that was met, and counts it. */
  meet(what: string): void;
};

export function createTimeline(print: (line: string) => void): Timeline {
  let chapters = 0;
  let met = 0;
  return {
    chapter(title) {
      chapters += 1;
      print(`${chapters === 1 ? '' : '\n'}${chapters}  ${title}`);
    },
    line: (who, what) => print(`   ${who.padEnd(nameWidth)}${what}`),
    detail: (text) => print(`   ${' '.repeat(nameWidth)}  ${text}`),
    get met() {
      return met;
    },
    meet(what) {
      met += 1;
      print(`   ${' '.repeat(nameWidth)}✓ ${what}`);
    },
  };
}
