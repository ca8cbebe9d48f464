/** docker/nginx.conf finds gateways by their names, also when these lead elsewhere while it runs. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startNginx } from '../support/nginx.ts';
import { reservePort } from '../support/ports.ts';
import { answersWhile, ProxiedGateway, proxyConfiguration, withoutLimits } from './proxied-gateway.ts';

const { stderr = '' } = spawnSync(process.env['NGINX'] ?? 'nginx', ['-v'], { encoding: 'utf8' });
const [, major = 0, minor = 0, patch = 0] = (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(stderr) ?? []).map(Number);
/** Since 1.27.3. */
const resolves = major * 1e6 + minor * 1e3 + patch >= 1_027_003;
const tried = resolves ? stderr.trim() : `not tried, since it takes nginx 1.27.3: name one in NGINX`;

// Linux has every address of 127.0.0.0/8; macOS has one.
test.runIf(resolves && process.platform === 'linux')(
  `gateways that come back with other addresses refuse nobody (${tried})`,
  async () => {
    await using running = new AsyncDisposableStack();
    const issuer = await createDevelopmentIssuer();
    const { token } = await issuer.issue('ada@customer.example');
    const dns = running.adopt(await startDnsServer({ 'gateway-1': '127.0.1.1' }), (started) =>
      started.dispose(),
    );
    const gatewayPort = await reservePort();
    const gateways = [1, 2].map(() => new ProxiedGateway(gatewayPort, issuer));
    running.defer(async () => {
      for (const gateway of gateways) await gateway.stop();
    });
    // The second one has no name while nginx starts.
    await gateways[0]?.start('127.0.1.1');
    const port = await reservePort();
    const configuration = withoutLimits(await proxyConfiguration(port))
      .replace('127.0.0.11', `127.0.0.1:${dns.port}`)
      .replace(/(gateway-\d):4000 resolve/g, `$1:${gatewayPort} resolve`);
    const url = `http://127.0.0.1:${port}`;
    await startNginx(running, { 'nginx.conf': configuration }, `${url}/healthz`);

    const answers = await answersWhile(
      () =>
        fetch(`${url}/graphql`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: '{"query":"mutation { add(to: 1) }"}',
        }),
      async () => {
        await gateways[1]?.start('127.0.1.2');
        dns.addresses.set('gateway-2', '127.0.1.2');
        await gateways[1]?.untilUsed();
        for (const [index, gateway] of gateways.entries()) {
          const address = `127.0.2.${index + 1}`;
          await gateway.stop();
          await gateway.start(address);
          dns.addresses.set(`gateway-${index + 1}`, address);
          await gateway.untilUsed();
        }
      },
    );
    expect(answers).toEqual(['200 {"data":{"add":2}}']);
  },
);
