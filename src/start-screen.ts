import type { Config } from './config.ts';

export function startScreen(url: string, _config: Config): string[] {
  return [`Latchkey listens on ${url}/graphql`];
}
