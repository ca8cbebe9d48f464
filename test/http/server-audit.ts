import { type AuditResult, auditServer } from 'graphql-http';

/**
 * Runs every audit of the GraphQL over HTTP specification against a server with any schema. Resolves to the audits
 * that failed, each with the server's response.
 */
export async function failedAudits(url: string, headers: Record<string, string>): Promise<string[]> {
  const results = await auditServer({
    url,
    fetchFn: (input: string | URL, init: RequestInit = {}) =>
      fetch(input, { ...init, headers: { ...headers, ...init.headers } }),
  });
  if (results.length < 60) throw new Error(`Only ${results.length} audits ran.`);
  const failures = results.filter((result) => result.status !== 'ok');
  return Promise.all(failures.map(describe));
}

async function describe(result: AuditResult): Promise<string> {
  if (result.status === 'ok') return result.name;
  const { response } = result;
  const body = response.bodyUsed ? '' : await response.text();
  return `${result.id} ${result.name}: ${result.reason} (${response.status} ${body})`;
}
