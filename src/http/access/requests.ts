/** The requests of the OpenID AuthZEN Authorization API 1.0, from JSON. Unknown members are ignored. */
import { z } from 'zod';
import type { Evaluation, EvaluationItem, EvaluationSemantic } from '../../access/evaluation.ts';
import { badRequest } from '../request-refused.ts';

/** The items of one batch. */
const maxItems = 200;

/** Characters of a type, a name or an id. They are kept in the audit log. */
const maxCharacters = 1_000;

const missing = 'is missing.';
const orMissing = (message: string) => (issue: { input?: unknown }) =>
  issue.input === undefined ? missing : message;

const text = z
  .string({ error: orMissing('must be a string.') })
  .max(maxCharacters, `must have at most ${maxCharacters} characters.`);
const object = { error: orMissing('must be an object.') };
const properties = z.record(z.string(), z.unknown(), object);

const thing = z.object({ type: text, id: text, properties: properties.exactOptional() }, object);
const entities = z.object(
  {
    subject: thing.exactOptional(),
    action: z.object({ name: text, properties: properties.exactOptional() }, object).exactOptional(),
    resource: thing.exactOptional(),
    context: properties.exactOptional(),
  },
  object,
);
type Entities = z.output<typeof entities>;

const semantics = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;

const batch = entities.extend({
  evaluations: z
    .array(z.unknown(), 'must be an array.')
    .max(maxItems, `must have at most ${maxItems} items.`)
    .default([]),
  options: z
    .object(
      {
        evaluations_semantic: z
          .enum(semantics, `must be one of ${semantics.join(', ')}.`)
          .default('execute_all'),
      },
      object,
    )
    .default({ evaluations_semantic: 'execute_all' }),
});

/** Several evaluations, or one without a list: its answer is that one decision. */
export type EvaluationsRequest =
  | { readonly single: Evaluation }
  | { readonly items: readonly EvaluationItem[]; readonly semantic: EvaluationSemantic };

/** @throws RequestRefusedError 400 that says what is wrong, and where */
export function readEvaluation(body: unknown): Evaluation {
  return whole(complete(read(entities, body)));
}

/**
 * An item that is wrong is one broken item.
 *
 * @throws RequestRefusedError 400 for what is wrong beside the items
 */
export function readEvaluations(body: unknown): EvaluationsRequest {
  const { evaluations, options, ...defaults } = read(batch, body);
  if (evaluations.length === 0) return { single: whole(complete(defaults)) };
  return {
    items: evaluations.map((item) => readItem(item, defaults)),
    semantic: options.evaluations_semantic,
  };
}

/** An entity of the item replaces the default as a whole. */
function readItem(item: unknown, defaults: Entities): EvaluationItem {
  const parsed = entities.safeParse(item);
  return parsed.success ? complete({ ...defaults, ...parsed.data }) : { broken: describe(parsed.error) };
}

function complete({ subject, action, resource, context }: Entities): EvaluationItem {
  if (subject === undefined) return { broken: `subject ${missing}` };
  if (action === undefined) return { broken: `action ${missing}` };
  if (resource === undefined) return { broken: `resource ${missing}` };
  return { evaluation: { subject, action, resource, ...(context === undefined ? {} : { context }) } };
}

function whole(item: EvaluationItem): Evaluation {
  if ('broken' in item) throw badRequest(item.broken);
  return item.evaluation;
}

function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw badRequest(describe(parsed.error));
}

/** The first problem: `subject.id is missing.` */
function describe({ issues: [first] }: z.ZodError): string {
  const path = first?.path.join('.') ?? '';
  return `${path === '' ? 'The request' : path} ${first?.message ?? 'is not valid.'}`;
}
