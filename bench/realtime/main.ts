/** Compares the delivery of events by Latchkey and other servers, round by round on one machine: docs/benchmarks.md. */
import { installPackages } from '../../test/support/install-packages.ts';
import { runBenchmark } from './command-line.ts';
import { peersFolder } from './peers.ts';
import { cpu } from './rows/cpu.ts';
import { fanOut } from './rows/fan-out.ts';
import { latency, ownCommits } from './rows/latency.ts';
import { memory } from './rows/memory.ts';
import { revoke } from './rows/revoke.ts';
import { writes } from './rows/writes.ts';

installPackages(peersFolder);
await runBenchmark(() => [latency, ownCommits, cpu, fanOut, memory, writes, revoke]);
