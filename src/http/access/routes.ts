/** The decision point over HTTP: the OpenID AuthZEN Authorization API 1.0 without its optional searches. */
import type { EvaluationAnswer, EvaluationItem, EvaluationSemantic } from '../../access/evaluation.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import { withDeadline } from '../../platform/deadline.ts';
import { type Authenticate, bearerKey } from '../authentication.ts';
import type { Limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { RequestRefusedError } from '../request-refused.ts';
import { sendJson } from '../responses.ts';
import type { Route } from '../routes.ts';
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
) => Promise<readonly EvaluationAnswer[]>;

/** Resolves to null unless the account behind the token may ask about support actions. */
export type OpenDecider = (claims: TokenClaims) => Promise<Ask | null>;

export type AccessRoutesOptions = {
  openDecider: OpenDecider;
  /** The origin by which product backends reach this deployment. Null: it is not known. */
  publicUrl: () => string | null;
  authenticate: Authenticate;
  limits: Limits;
  log: Log;
};

/** Answers a body for a caller who may ask. */
type AnswerBody = (body: unknown, ask: Ask) => Promise<object>;

async function answerOne(item: EvaluationItem, ask: Ask): Promise<EvaluationAnswer> {
  const [answer] = await ask([item], 'execute_all');
  if (answer === undefined) throw new Error('The decision point returned no answer');
  return answer;
}

const answerEvaluation: AnswerBody = (body, ask) => answerOne({ evaluation: readEvaluation(body) }, ask);

const answerEvaluations: AnswerBody = async (body, ask) => {
  const request = readEvaluations(body);
  return 'items' in request
    ? { evaluations: await ask(request.items, request.semantic) }
    : await answerOne({ evaluation: request.single }, ask);
};

export function accessRoutes(options: AccessRoutesOptions): Route[] {
  const { openDecider, authenticate, limits, log } = options;

  const share = createShares(limits.evaluationsPerBearer);

  async function open(claims: TokenClaims): Promise<Ask> {
    const ask = await openDecider(claims);
    if (ask !== null)
      return (items, semantic) => share(bearerKey(claims), items.length, () => ask(items, semantic));
    throw new RequestRefusedError(
      403,
      'FORBIDDEN',
      'This account may not ask: it is no active service account with the capability ACCESS_EVALUATION.',
    );
  }

  function inTime<Answered>(answer: Promise<Answered>): Promise<Answered> {
    const late = () => new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', 'There was no answer in time.');
    return withDeadline(answer, limits.operationMs, late);
  }

  const endpoint = (path: string, answer: AnswerBody): Route => ({
    path,
    sendRefusal,
    methods: {
      async POST(request, response) {
        takeRequestId(request, response);
        const claims = await claimsOf(request, response, authenticate, log);
        const body = await readBody(request, limits.requestBytes);
        const answered = open(claims).then((ask) => answer(parseBody(body), ask));
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
        const claims = await claimsOf(request, response, authenticate, log);
        const answered = open(claims).then((ask) => answerOne(readHeaders(request), ask));
        sendProxyAnswer(response, await inTime(answered));
      },
    },
  };

  return [
    endpoint(paths.evaluation, answerEvaluation),
    endpoint(paths.evaluations, answerEvaluations),
    proxyCheck,
    metadataRoute(options.publicUrl),
  ];
}
