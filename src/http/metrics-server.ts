import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../metrics/metrics.ts';
import { sendJson } from './responses.ts';

/** Serves `/metrics`, on a port of its own, so that what is public never leads to it. */
export type MetricsServer = { readonly url: string; dispose(): Promise<void> };

/** Milliseconds for a request. */
const requestTimeout = 5_000;

/** Rejects with Node's error when it cannot listen on the address. */
export async function startMetricsServer(
  { host, port }: { host: string; port: number },
  metrics: Pick<Metrics, 'read'>,
): Promise<MetricsServer> {
  const server = createServer(
    { requestTimeout, headersTimeout: requestTimeout },
    async (request, response) => {
      if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
        sendJson(response, 404, { code: 'NOT_FOUND', message: 'There is only GET /metrics here.' });
        return;
      }
      try {
        const { text, contentType } = await metrics.read();
        response.writeHead(200, { 'content-type': contentType }).end(text);
      } catch {
        sendJson(response, 503, { code: 'SERVICE_UNAVAILABLE', message: 'The metrics cannot be read now.' });
      }
    },
  );
  server.maxConnections = 20;
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', () => undefined);
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}/metrics`,
    async dispose() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
