/** Runs a program of the project and waits for its output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type Program = {
  /** Resolves with the output so far once it contains the text; rejects if the program ends first. */
  printed(text: string): Promise<string>;
  /** Sends SIGINT, as Ctrl-C does. */
  interrupt(): void;
  /** `kill -9`. */
  kill(): void;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
};

/** @param path from the root of the repository */
export function runProgram(path: string, ...given: string[]): Program {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const child = spawn(process.execPath, [path, ...given], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    said.stdout += text;
  });
  child.stderr.on('data', (text) => {
    said.stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  return {
    ended,
    async printed(text) {
      const gone = ended.then((outcome) => {
        throw new Error(`It ended without printing ${text}: ${JSON.stringify(outcome)}`);
      });
      gone.catch(() => undefined);
      while (!said.stdout.includes(text)) await Promise.race([once(child.stdout, 'data'), gone]);
      return said.stdout;
    },
    interrupt: () => child.kill('SIGINT'),
    kill: () => child.kill('SIGKILL'),
  };
}
