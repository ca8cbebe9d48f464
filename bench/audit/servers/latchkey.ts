/** One whole gateway, of which one account may ask as fast as it is answered. */
import { loadGateway } from '../../../src/bundle.ts';
import { serve } from '../../api/servers/server.ts';
import { gatewayConfig } from '../../realtime/servers/gateway-config.ts';

serve(async ({ databaseUrl }) => {
  const { createApp } = await loadGateway();
  const config = gatewayConfig(databaseUrl);
  const admission = { ...config.admission, ratePerAccount: 1_000_000, ratePerOrganization: 1_000_000 };
  const app = await createApp({ ...config, admission });
  return { url: app.url };
});
