/** The decision point over HTTP: the OpenID AuthZEN Authorization API 1.0 without its optional searches. */
import type { EvaluationAnswer, EvaluationItem, EvaluationSemantic } from '../../access/evaluation.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import { withDeadline } from '../../platform/deadline.ts';
import type { WhileArriving } from '../arriving-bodies.ts';
import { type Authenticate, bearerKey } from '../authentication.ts';
import type { Limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { RequestRefusedError } from '../request-refused.ts';
import { sendJson } from '../responses.ts';
import type { Route } from '../routes.ts';
import type { SourceOf } from '../source-of.ts';
import { claimsOf } from './caller.ts';
import { metadataRoute, paths } from './metadata.ts';
import { parseBody, readBody, sendRefusal, takeRequestId } from './protocol.ts';
import { readHeaders, sendProxyAnswer } from './proxy-check.ts';
import { readEvaluation, readEvaluations } from './requests.ts';
import { createShares } from './shares.ts';

/** A `Decider` for one caller. */
export type Ask = (
  items: readonly EvaluationItem[],
  semantic: EvaluationSemantic,
) => Promise<readonly EvaluationAnswer[] | null>;

/**
 * Resolves to null unless the account behind the token may ask about support actions.
 *
 * @param isAnew whether to look that up now. Otherwise it may turn out only when something is asked.
 */
export type OpenDecider = (claims: TokenClaims, isAnew?: boolean) => Promise<Ask | null>;

export type AccessRoutesOptions = {
  openDecider: OpenDecider;
  /** The origin by which product backends reach this deployment. Null: it is not known. */
  publicUrl: () => string | null;
  authenticate: Authenticate;
  limits: Limits;
  log: Log;
  sourceOf: SourceOf;
  whileArriving: WhileArriving;
  /** Called with the code of each answer, or `UNANSWERED`, and how many evaluations had it. */
  onEvaluated?: (outcome: string, count: number) => void;
};

/** What a request asks, and what the response says. */
type Asked<Answer> = {
  readonly items: readonly EvaluationItem[];
  readonly semantic: EvaluationSemantic;
  readonly answerOf: (answers: readonly EvaluationAnswer[]) => Answer;
};

function one(item: EvaluationItem): Asked<EvaluationAnswer> {
  return { items: [item], semantic: 'execute_all', answerOf: theOnly };
}

function theOnly([answer]: readonly EvaluationAnswer[]): EvaluationAnswer {
  if (answer === undefined) throw new Error('The decision point returned no answer');
  return answer;
}

function several(body: unknown): Asked<object> {
  const request = readEvaluations(body);
  return 'items' in request
    ? { ...request, answerOf: (evaluations) => ({ evaluations }) }
    : one({ evaluation: request.single });
}

export function accessRoutes(options: AccessRoutesOptions): Route[] {
  const { openDecider, limits, onEvaluated = () => undefined } = options;

  const share = createShares(limits.evaluationsPerBearer);

  async function open(claims: TokenClaims, isAnew?: boolean): Promise<Ask> {
    return (await openDecider(claims, isAnew)) ?? refuse();
  }

  async function answer<Answer>(claims: TokenClaims, read: () => Asked<Answer>): Promise<Answer> {
    const ask = await open(claims);
    const { items, semantic, answerOf } = await readOrRefuse(claims, read);
    const answers = await share(bearerKey(claims), items.length, () => ask(items, semantic)).catch(
      (error: unknown) => {
        onEvaluated('UNANSWERED', items.length);
        throw error;
      },
    );
    for (const { decision, context } of answers ?? [])
      onEvaluated(String(context?.['code'] ?? (decision ? 'ALLOWED' : 'DENIED')), 1);
    return answerOf(answers ?? refuse());
  }

  /** Only who may ask is told what is wrong with a request. */
  async function readOrRefuse<Read>(claims: TokenClaims, read: () => Read): Promise<Read> {
    try {
      return read();
    } catch (error) {
      await open(claims, true);
      throw error;
    }
  }

  function inTime<Answer>(answered: Promise<Answer>): Promise<Answer> {
    const late = () => new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', 'There was no answer in time.');
    return withDeadline(answered, limits.operationMs, late);
  }

  const endpoint = (path: string, read: (body: unknown) => Asked<object>): Route => ({
    path,
    sendRefusal,
    methods: {
      async POST(request, response) {
        takeRequestId(request, response);
        const claims = await claimsOf(request, response, options);
        const body = await options.whileArriving(bearerKey(claims), response, () =>
          readBody(request, limits.requestBytes),
        );
        const answered = answer(claims, () => read(parseBody(body)));
        sendJson(response, 200, await inTime(answered));
      },
    },
  });

  const proxyCheck: Route = {
    path: paths.proxyCheck,
    sendRefusal,
    methods: {
      async GET(request, response) {
        takeRequestId(request, response);
        const claims = await claimsOf(request, response, options);
        const answered = answer(claims, () => one(readHeaders(request)));
        sendProxyAnswer(response, await inTime(answered));
      },
    },
  };

  return [
    endpoint(paths.evaluation, (body) => one({ evaluation: readEvaluation(body) })),
    endpoint(paths.evaluations, several),
    proxyCheck,
    metadataRoute(options.publicUrl),
  ];
}

function refuse(): never {
  throw new RequestRefusedError(
    403,
    'FORBIDDEN',
    'This account may not ask: it is no active service account with the capability ACCESS_EVALUATION.',
  );
}
