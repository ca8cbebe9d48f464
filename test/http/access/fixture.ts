/** The decision point of the certification scenario behind the real HTTP server. */
import type {
  Decider,
  Evaluation,
  EvaluationAnswer,
  EvaluationItem,
} from '../../../src/access/evaluation.ts';
import type { Limits } from '../../../src/http/limits.ts';
import { generousMs } from '../../support/deadlines.ts';
import { startTestServer } from '../server-fixture.ts';

export const publicUrl = 'https://access.vendor.example';
const backend = 'jira@vendor.example';
export const otherBackend = 'confluence@vendor.example';

/** The policy of the scenario: users alice and bob, record-1 and record-2. */
function mayDo({ subject, action, resource }: Evaluation): boolean {
  if (subject.type !== 'user' || resource.type !== 'record') return false;
  switch (action.name) {
    case 'read':
      return ['alice', 'bob'].includes(subject.id);
    case 'write':
      if (resource.properties?.['status'] === 'archived') return subject.properties?.['role'] === 'admin';
      return subject.id === 'alice';
    case 'delete':
      return subject.id === 'alice' && action.properties?.['soft'] === true;
    default:
      return false;
  }
}

function answerTo(item: EvaluationItem): EvaluationAnswer {
  if ('broken' in item) return { decision: false, context: { code: 'INVALID', message: item.broken } };
  return { decision: mayDo(item.evaluation), context: { asked: item.evaluation } };
}

/** Answers as far as the semantic goes, as the decision point of the gateway does. */
export const decideFixture: Decider<string> = async (items, semantic) => {
  const answers = items.map(answerTo);
  if (semantic === 'execute_all') return answers;
  const end = answers.findIndex(({ decision }) => decision === (semantic === 'permit_on_first_permit'));
  return end === -1 ? answers : answers.slice(0, end + 1);
};

export type Answer = { status: number; headers: Headers; text: string; json: unknown };

/** @param decide by default the scenario's. The tokens of the two backends open it, and no other. */
export async function startAccessServer({
  decide = decideFixture,
  url = publicUrl,
  ...options
}: {
  decide?: Decider<string>;
  url?: string | null | 'where it listens';
  limits?: Partial<Limits>;
  authenticate?: (token: string) => Promise<never>;
} = {}) {
  const server = await startTestServer({
    ...options,
    access: {
      openDecider: async ({ email }) =>
        email === backend || email === otherBackend
          ? (items, semantic) => decide(items, semantic, email)
          : null,
      ...(url === 'where it listens' ? {} : { publicUrl: url }),
    },
  });
  const token = await server.tokenOf(backend);

  async function send(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${server.origin}${path}`, {
      ...init,
      signal: AbortSignal.timeout(generousMs),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : null,
    };
  }

  return {
    ...server,
    token,
    send,
    /** Posts JSON, or the text as it is, as the product backend. */
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
        body:
          typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export type AccessServer = Awaited<ReturnType<typeof startAccessServer>>;
