/** One whole gateway. */
import { createApp } from '../../../src/app.ts';
import { gatewayConfig } from '../../realtime/servers/gateway-config.ts';
import { serve } from './server.ts';

serve(async ({ databaseUrl }) => {
  const app = await createApp(gatewayConfig(databaseUrl));
  return { url: app.url };
});
