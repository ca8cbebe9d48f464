/**
 * Child processes of the benchmark. Each handles requests over IPC and ends with this process. Everything that is
 * measured, or that generates load, has its own process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process's request handlers, by name. */
// biome-ignore lint/suspicious/noExplicitAny: each handler has an argument of its own, typed where it is called
export type Handlers = Record<string, (argument: any) => unknown>;

type Asked = { id: number; name: string; argument: unknown };
type Answered = { id: number; value?: unknown; error?: string };

/** Called in the child process: handles requests until the parent process is gone. */
export function answerRequests(handlers: Handlers): void {
  // Ctrl-C in a terminal reaches every process. It is ignored here, because the parent ends its children.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit());
  process.on('message', (asked: Asked) => {
    void answer(handlers, asked).then((answered) => {
      if (process.connected) process.send?.(answered);
    });
  });
}

async function answer(handlers: Handlers, { id, name, argument }: Asked): Promise<Answered> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new TypeError(`This process has no handler ${name}`);
    return { id, value: await handler(argument) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

export type Process<Known extends Handlers> = {
  /** Rejects if the handler fails, the process has ended, or no response arrives within this many milliseconds. */
  ask<Name extends keyof Known & string>(
    name: Name,
    argument: Parameters<Known[Name]>[0],
    deadline?: number,
  ): Promise<Awaited<ReturnType<Known[Name]>>>;
  /** Why the process ended by itself; undefined if it did not. */
  readonly cause: string | undefined;
  [Symbol.asyncDispose](): Promise<void>;
};

const children = new Set<ChildProcess>();
const usualDeadline = 30_000;
const maxErrorOutput = 4_000;

/** Starts a file of the benchmark that calls `answerRequests`. The process may run the garbage collector. */
export function startProcess<Known extends Handlers>(file: string): Process<Known> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, [], {
    execArgv: ['--expose-gc'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  children.add(child);
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  let errorOutput = '';
  let cause: string | undefined;
  let isWanted = true;
  let asked = 0;
  child.stderr?.on('data', (text: Buffer) => {
    errorOutput = (errorOutput + String(text)).slice(-maxErrorOutput);
  });
  child.on('error', () => undefined);
  child.on('message', ({ id, value, error }: Answered) => {
    const answered = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) answered?.resolve(value as never);
    else answered?.reject(new Error(error));
  });
  const exited = new Promise<void>((settle) => {
    child.once('close', (code, signal) => {
      children.delete(child);
      if (isWanted) cause = `${file} ended by itself (${signal ?? code}): ${summaryOf(errorOutput)}`;
      for (const { reject } of waiting.values()) reject(new Error(cause ?? `${file} was stopped`));
      waiting.clear();
      settle();
    });
  });

  return {
    async ask(name, argument, deadline = usualDeadline) {
      if (cause !== undefined) throw new Error(cause);
      asked += 1;
      const id = asked;
      const answered = Promise.withResolvers<never>();
      waiting.set(id, answered);
      const late = setTimeout(() => {
        waiting.delete(id);
        answered.reject(new Error(`${file} has not responded to ${name} within ${deadline} ms`));
      }, deadline);
      try {
        child.send({ id, name, argument } satisfies Asked);
        return await answered.promise;
      } finally {
        clearTimeout(late);
      }
    },
    get cause() {
      return cause;
    },
    async [Symbol.asyncDispose]() {
      isWanted = false;
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Kills all child processes when the benchmark ends, however it ends. */
export function killAllProcesses(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** Returns the most informative line that a process wrote before it ended. */
function summaryOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (
    lines.find((line) => /^\s*\w*Error\b|FATAL/.test(line))?.trim() ??
    lines.at(-1)?.trim() ??
    'it wrote nothing'
  );
}
