/**
 * What the programs of this folder are called with: a gateway's URL and somebody's email, each optional, in
 * any order. Without a URL: GATEWAY_URL, else the gateway that `npm start` starts.
 */
export function readArguments(
  given: readonly string[] = process.argv.slice(2),
  variables: Readonly<Record<string, string | undefined>> = process.env,
): { url: string; email: string | null } {
  const url = given.find((argument) => /^https?:\/\//.test(argument));
  const email = given.find((argument) => argument.includes('@') && argument !== url);
  const unknown = given.find((argument) => argument !== url && argument !== email);
  if (unknown !== undefined) {
    throw new UsageError(`What is ${JSON.stringify(unknown)}? Give a gateway's URL, an email, or neither.`);
  }
  return { url: url ?? (variables['GATEWAY_URL'] || 'http://127.0.0.1:4000'), email: email ?? null };
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}
