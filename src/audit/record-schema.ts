/** The record of an entry as a JSON Schema (2020-12) with the details of each action: docs/audit-record.schema.json. */
import { z } from 'zod';
import { AuditOutcome } from '../../prisma/generated/client/enums.ts';
import { type AuditAction, auditActions } from './actions.ts';
import { commonShapes, detailsByAction, idOf, isEvaluation, moment } from './details.ts';
import type { AuditRecord } from './record.ts';

const text = z.string();
const accounts = ['User', 'SupportEngineer', 'Operator', 'ComplianceAnalyst', 'ServiceAccount'];

const actor = z.strictObject({
  kind: z.enum(['USER', 'SUPPORT_ENGINEER', 'OPERATOR', 'COMPLIANCE_ANALYST', 'SERVICE_ACCOUNT', 'SYSTEM']),
  id: idOf(...accounts).exactOptional(),
  email: text.exactOptional(),
  name: text,
});

const recordSchema = z.strictObject({
  id: idOf('AuditEntry'),
  position: z.int().min(1),
  occurredAt: moment,
  action: z.enum(auditActions),
  outcome: z.enum(AuditOutcome),
  refusalCode: text.exactOptional(),
  count: z.int().min(1),
  actor,
  resource: z.strictObject({ type: text, id: text }),
  organizationId: idOf('Organization').exactOptional(),
  siteId: idOf('Site').exactOptional(),
  siteUrl: text.exactOptional(),
  productKey: text.exactOptional(),
  ticketId: idOf('Ticket').exactOptional(),
  ticketKey: text.exactOptional(),
  grantId: idOf('Grant').exactOptional(),
  supportSessionId: idOf('SupportSession').exactOptional(),
  clientAddress: text.exactOptional(),
  userAgent: text.max(256).exactOptional(),
  requestId: text.max(200).exactOptional(),
  traceId: text.regex(/^[0-9a-f]{32}$/).exactOptional(),
  details: z.record(text, z.unknown()),
}) satisfies z.ZodType<Omit<AuditRecord, 'action'> & { action: AuditAction }>;

/** What is wrong with a record, in words; empty: nothing. */
export function problemsOf(record: AuditRecord): string[] {
  const read = recordSchema.safeParse(record);
  if (!read.success) return [z.prettifyError(read.error)];
  const { action, outcome, details } = read.data;
  const shape =
    outcome === 'REFUSED' && !isEvaluation(action) ? commonShapes.refusal : detailsByAction.get(action);
  const { error } = shape?.safeParse(details) ?? {};
  return error === undefined ? [] : [`${action} ${outcome}: ${z.prettifyError(error)}`];
}

/** The content of docs/audit-record.schema.json. */
export function recordJsonSchema(): object {
  const { $schema, ...record } = jsonSchemaOf(recordSchema);
  const named = Object.entries(commonShapes);
  const definitions = [...detailsByAction].map(([action, shape]) => {
    const [name] = named.find(([, common]) => common === shape) ?? [];
    return [action, name === undefined ? definitionOf(shape) : { $ref: `#/$defs/${name}` }];
  });
  const commands = auditActions.filter((action) => !isEvaluation(action));
  return {
    $schema,
    title: 'A record of the audit log of Latchkey',
    ...record,
    allOf: [
      when({ action: { enum: commands }, outcome: { const: 'REFUSED' } }, 'refusal'),
      ...commands.map((action) =>
        when({ action: { const: action }, outcome: { const: 'SUCCEEDED' } }, action),
      ),
      ...auditActions.filter(isEvaluation).map((action) => when({ action: { const: action } }, action)),
    ],
    $defs: {
      ...Object.fromEntries(named.map(([name, shape]) => [name, definitionOf(shape)])),
      ...Object.fromEntries(definitions),
    },
  };
}

function when(properties: object, definition: string): object {
  // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema.
  return { if: { properties }, then: { properties: { details: { $ref: `#/$defs/${definition}` } } } };
}

function definitionOf(shape: z.ZodType): object {
  const { $schema: _, ...definition } = jsonSchemaOf(shape);
  return definition;
}

const jsonSchemaOf = (shape: z.ZodType) => z.toJSONSchema(shape, { target: 'draft-2020-12' });
