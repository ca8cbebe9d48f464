/** What the tour prints: chapters, who does what, and what was found to be as the rules say. */

const nameWidth = 10;

export type Timeline = {
  chapter(title: string): void;
  /** Somebody does something, or hears of it. */
  line(who: string, what: string): void;
  /** More about the line before. */
  detail(text: string): void;
  /** How many expectations were met; told at the end. */
  readonly met: number;
  /** An expectation was met. */
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
