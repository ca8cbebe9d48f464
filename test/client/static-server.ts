/** A web server for the pages of tests. */
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const mediaTypes: Record<string, string> = { '.js': 'text/javascript', '.mjs': 'text/javascript' };

/** Serves the files of a folder, and these texts at their paths. */
export async function startStaticServer(
  folder: string,
  texts: Record<string, () => string>,
): Promise<AsyncDisposable & { origin: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const text = texts[pathname];
    response.setHeader('content-type', mediaTypes[extname(pathname)] ?? 'text/html');
    if (text !== undefined) response.end(text());
    else
      createReadStream(join(folder, pathname))
        .on('error', () => response.writeHead(404).end())
        .pipe(response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
