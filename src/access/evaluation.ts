/**
 * What a product's backend asks, and the answer: the entities of the OpenID AuthZEN Authorization API 1.0, independent
 * of how they travel.
 */
import type { Subject } from '../identity/viewer-store.ts';

type Properties = Readonly<Record<string, unknown>>;

/** May this subject do this action to this resource, now and in this context? */
export type Evaluation = {
  readonly subject: { readonly type: string; readonly id: string; readonly properties?: Properties };
  readonly action: { readonly name: string; readonly properties?: Properties };
  readonly resource: { readonly type: string; readonly id: string; readonly properties?: Properties };
  readonly context?: Properties;
};

/** One item of a batch: an evaluation, or what is wrong with it. A broken one is answered with no, and recorded too. */
export type EvaluationItem = { readonly evaluation: Evaluation } | { readonly broken: string };

/** Where a batch ends: after its last item, after the first no, or after the first yes. */
export type EvaluationSemantic = 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit';

/** The answer to one item. The context says why: a stable code and a sentence. */
export type EvaluationAnswer = { readonly decision: boolean; readonly context?: Properties };

/** Who asks: the id of a service account, and the subject of the token that it was found by. */
export type Asker = Subject & { readonly id: string };

/**
 * Answers the items in order, as far as the semantic goes: fewer answers than items if it ended earlier. Each answer is
 * recorded before the promise resolves. Rejects if the database is unavailable: then no answer was given.
 *
 * Resolves to null if the caller may not ask. Then nothing is asked or recorded.
 */
export type Decider<Caller> = (
  items: readonly EvaluationItem[],
  semantic: EvaluationSemantic,
  caller: Caller,
) => Promise<readonly EvaluationAnswer[] | null>;
