/** One whole gateway. */
import { loadGateway } from '../../../src/bundle.ts';
import { gatewayConfig } from '../../realtime/servers/gateway-config.ts';
import { serve } from './server.ts';

serve(async ({ databaseUrl }) => {
  const { createApp } = await loadGateway();
  const app = await createApp(gatewayConfig(databaseUrl));
  return { url: app.url };
});
