/** `ENDING`: what only ends access. */
export type Lane = 'ORDINARY' | 'ENDING';

/** What has turns of its own: each lane, and of the ordinary operations those that may return many objects. */
export type Turn = Lane | 'LARGE';

/** What the gateway knows of an account from its last operation. */
export type Account = { readonly isService: boolean; readonly organizations: readonly string[] };
