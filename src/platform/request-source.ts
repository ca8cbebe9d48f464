/** Where a request came from, as far as that is known. What it causes has it on the audit log and in the logs. */
export type RequestSource = {
  /** The address of the client, as client-address.ts writes it; null: it is not known. */
  readonly clientAddress: string | null;
};

/** Of what no request causes. */
export const noSource: RequestSource = { clientAddress: null };
