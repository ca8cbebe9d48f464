/** Asks the decision point of a gateway, as the backend of a product does before each support action. */
import type { Person } from './person.ts';

/** What an engineer would do to which resource of a product on a site. */
export type SupportQuestion = {
  readonly engineer: Person;
  readonly action: string;
  readonly resource: { readonly type: string; readonly id: string };
  readonly product: string;
  readonly siteUrl: string;
  /** The ticket's key, and what else the action needs. */
  readonly context: Readonly<Record<string, string>> & { readonly ticket: string };
};

/** The answer, and the code of its reason. */
export type SupportAnswer = { readonly decision: boolean; readonly code: string };

/** How long to wait for an answer, in milliseconds. */
const answerDeadlineMs = 30_000;

/** @throws Error if there is no answer. */
export async function askDecisionPoint(
  url: string,
  backend: Person,
  { engineer, action, resource, product, siteUrl, context }: SupportQuestion,
): Promise<SupportAnswer> {
  const response = await fetch(new URL('/access/v1/evaluation', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${await backend.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'support_engineer', id: engineer.email },
      action: { name: action },
      resource: { ...resource, properties: { product, site: siteUrl } },
      context,
    }),
    signal: AbortSignal.timeout(answerDeadlineMs),
  });
  if (!response.ok)
    throw new Error(`The decision point answered ${response.status}: ${await response.text()}`);
  const answer = (await response.json()) as { decision: boolean; context: { code: string } };
  return { decision: answer.decision, code: answer.context.code };
}
