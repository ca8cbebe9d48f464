/** Without `redisUrl`, a gateway has no Redis: evaluations use none. */
export type Setting = { databaseUrl: string; redisUrl?: string };
/** Where the server listens. */
export type Started = { url: string };
export type ServerHandlers = { start: (setting: Setting) => Promise<Started> };
