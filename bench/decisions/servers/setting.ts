export type Setting = { databaseUrl: string };
/** Where the server listens. */
export type Started = { url: string };
export type ServerHandlers = { start: (setting: Setting) => Promise<Started> };
