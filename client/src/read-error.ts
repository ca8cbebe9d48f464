/** Reads the message and the code of an error: GraphQL errors have the code in `extensions`, others beside it. */
export function readError(error: unknown): { message: string; code: string } {
  const fields = isRecord(error) ? error : {};
  const extensions = isRecord(fields['extensions']) ? fields['extensions'] : fields;
  const { message } = fields;
  const { code } = extensions;
  return {
    message: typeof message === 'string' ? message : 'The gateway gave no reason.',
    code: typeof code === 'string' ? code : 'UNKNOWN',
  };
}

/** The message of whatever was thrown, after a colon and a space; empty if it has none. */
export function detailOf(thrown: unknown): string {
  const message = isRecord(thrown) ? thrown['message'] : undefined;
  return typeof message === 'string' && message !== '' ? `: ${message}` : '';
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
