/** `ENDING`: what only ends access. */
export type Lane = 'ORDINARY' | 'ENDING';

/** What the gateway knows of an account from its last operation. */
export type Account = { readonly isService: boolean; readonly organizations: readonly string[] };
