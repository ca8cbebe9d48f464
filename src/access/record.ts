/** What an evaluation leaves: the answer, and its entry on the audit log. */
import { type AuditContext, type AuditEntry, actorOf } from '../audit/entry.ts';
import { encodeGlobalId } from '../platform/global-id.ts';
import { type AskerFacts, type Facts, sees, type Verdict } from './decide.ts';
import type { EvaluationAnswer } from './evaluation.ts';
import type { Problem, Question } from './question.ts';
import { sentenceOf } from './reasons.ts';

/** One item that was answered: a question with its verdict, or what is wrong with it. */
export type Answered =
  | { readonly question: Question; readonly facts: Facts; readonly verdict: Verdict }
  | { readonly problem: Problem };

/** @param entryId the id of the entry that records the answer */
export function answerTo(answered: Answered, entryId: string): EvaluationAnswer {
  const evaluation = encodeGlobalId('AuditEntry', entryId);
  if ('problem' in answered) {
    const { code, message = sentenceOf(code) } = answered.problem;
    return { decision: false, context: { code, message, evaluation } };
  }
  const { verdict } = answered;
  if (verdict.allowed) return { decision: true, context: { code: 'ALLOWED', message: allowed, evaluation } };
  const { code } = verdict;
  return { decision: false, context: { code, message: sentenceOf(code), evaluation } };
}

const allowed = 'The engineer may do this now.';

export function entryOf(answered: Answered, asker: AskerFacts, now: Date): AuditEntry {
  const actor = actorOf({ kind: 'SERVICE_ACCOUNT', ...asker });
  const askedBy = { askedBy: asker.email, askedById: asker.id };
  if ('problem' in answered) {
    const { code } = answered.problem;
    return {
      action: 'access.evaluate',
      actor,
      resource: { type: 'ServiceAccount', id: asker.id },
      organizationId: null,
      refusalCode: code,
      occurredAt: now,
      details: { ...askedBy, reason: code },
    };
  }
  const { question, facts, verdict } = answered;
  const reason = verdict.allowed ? null : verdict.code;
  return {
    ...contextOf(answered),
    action: question.action,
    actor: facts.engineer === null ? actor : actorOf({ kind: 'SUPPORT_ENGINEER', ...facts.engineer }),
    resource: question.resource,
    refusalCode: reason,
    occurredAt: now,
    details: { ...askedBy, ...detailsOf(question, facts, verdict), ...(reason === null ? {} : { reason }) },
  };
}

function detailsOf(question: Question, facts: Facts, verdict: Verdict): Record<string, unknown> {
  const { destinationRegion, changeRequest } = question;
  return {
    product: question.product,
    country: question.engineerCountry ?? ownSession(facts, verdict)?.country ?? null,
    region: question.processingRegion ?? facts.site?.dataResidencyRegion ?? null,
    ...(destinationRegion === null ? {} : { destinationRegion }),
    ...(changeRequest?.by === 'id' ? { changeRequestId: changeRequest.value } : {}),
  };
}

/** The session of the engineer's that was judged; null: there is none, or it is another engineer's. */
function ownSession({ engineer }: Facts, { session }: Verdict): Verdict['session'] {
  return session?.engineerId === engineer?.id ? session : null;
}

/**
 * Where the entry belongs, as far as it is true. A customer's log has nothing about what the service account may not ask
 * about: those would be guesses.
 */
function contextOf({ question, facts, verdict }: Extract<Answered, { verdict: Verdict }>): AuditContext {
  const { asker, site, ticket } = facts;
  const mayAsk = asker.products.includes(question.product);
  if (!mayAsk || site === null || !sees(asker, site.organizationId)) return { organizationId: null };
  const own = ownSession(facts, verdict);
  return {
    organizationId: site.organizationId,
    siteId: site.id,
    ticketId: ticket?.siteId === site.id ? ticket.id : null,
    sessionId: own?.id ?? null,
    grantId: own?.grant.id ?? null,
  };
}
