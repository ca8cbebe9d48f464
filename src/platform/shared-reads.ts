/** The reads of one thing: the one that runs, and the one that follows it, if somebody waits for that. */
type Reads<Result> = { readonly running: Promise<Result>; next: Promise<Result> | undefined };

/**
 * Lets calls about the same thing share a read, so that many calls at once cost few reads. A call never gets the result
 * of a read that began before it: what arrives while a read runs waits for the next one. So a result is as fresh as one
 * of a read of its own. At most one read of a thing runs at a time.
 *
 * @param read reads one thing; its error is that of every call that shares it
 */
export function shareReads<Input, Result>(
  read: (input: Input) => Promise<Result>,
  keyOf: (input: Input) => string,
): (input: Input) => Promise<Result> {
  const ongoing = new Map<string, Reads<Result>>();

  function begin(input: Input, key: string): Promise<Result> {
    const reads: Reads<Result> = { running: read(input), next: undefined };
    ongoing.set(key, reads);
    const end = () => {
      if (reads.next === undefined) ongoing.delete(key);
    };
    reads.running.then(end, end);
    return reads.running;
  }

  return (input) => {
    const key = keyOf(input);
    const reads = ongoing.get(key);
    if (reads === undefined) return begin(input, key);
    const follow = () => begin(input, key);
    reads.next ??= reads.running.then(follow, follow);
    return reads.next;
  };
}
