/** Setup of the project `unit`: makes a test fail if it listens, connects or starts a process. */
import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';

function refuse(): never {
  throw new Error(
    'Tests of the project "unit" use no servers and no processes. Take this file out of the list in vitest.config.ts.',
  );
}

Object.assign(Server.prototype, { listen: refuse });
Object.assign(Socket.prototype, { connect: refuse });
Object.assign(ChildProcess.prototype, { spawn: refuse });
